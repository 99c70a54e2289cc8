import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './cache.js';
import { captureHost } from './capture.js';
import { CapturedHosts } from './cases.js';
import { parseDescription } from './description.js';
import { Lab } from './lab.js';
import { output } from './process.js';
import { endpointsOf } from './vsmmu.js';

const hosts = new CapturedHosts();
let lab: Lab;
let folder: string;
beforeAll(async () => {
  lab = await Lab.start();
  folder = temporaryFolder();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
  await lab[Symbol.asyncDispose]();
});

describe('a described host', () => {
  it('shows the same /sys as when it was captured', async ({ task }) => {
    const description = new URL('./hosts/multifunction.json', import.meta.url);
    const archive = await captureHost(lab, parseDescription(readFileSync(description, 'utf8'), 'multifunction.json'));
    await writeFile(join(folder, 'archive'), archive);
    await output(['tar', 'xzf', join(folder, 'archive'), '-C', folder]);
    task.meta.lab = { booted: 1 };
    expect(await endpointsOf(join(folder, 'sys'))).toEqual(await endpointsOf(await hosts.sysfs('multifunction')));
  });
});
