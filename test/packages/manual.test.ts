import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { manPages } from '../../bin/build/man.js';
import { REPOSITORY } from '../../bin/build/repository.js';
import { run } from './packages.js';

const folder = mkdtempSync(join(tmpdir(), 'vsmmu-man-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const pages = manPages(new Date('2026-01-02T00:00:00Z'));
for (const [name, page] of Object.entries(pages)) writeFileSync(join(folder, name), page);

describe('the man pages', () => {
  it.each(Object.keys(pages))('have no mandoc warnings: %s', (name) => {
    const { stdout } = run(['mandoc', '-T', 'lint', '-W', 'warning', join(folder, name)], {
      env: { PATH: '/usr/bin' },
    });
    expect(stdout).toBe('');
  });

  it('refer to each other by names that exist', () => {
    const references = Object.values(pages).flatMap((page) => [...page.matchAll(/\.(?:It )?Xr (vsmmu\S*) (\d)/g)]);
    expect(references.length).toBeGreaterThan(30);
    for (const [, name, volume] of references) expect(Object.keys(pages)).toContain(`${name}.${volume}`);
  });
});

describe('the units of samples/systemd', () => {
  it('pass systemd-analyze verify', () => {
    const units = ['vsmmu-check.service', 'vsmmu-check.path', 'vsmmu-check.timer'];
    for (const unit of units) {
      const text = readFileSync(join(REPOSITORY, 'samples/systemd', unit), 'utf8');
      // The program need not be installed here.
      writeFileSync(join(folder, unit), text.replace('/usr/bin/vsmmu', '/bin/true'));
    }
    const paths = units.map((unit) => join(folder, unit));
    const { code, stderr } = run(['systemd-analyze', 'verify', '--man=no', ...paths], {
      env: { PATH: '/usr/bin:/bin' },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
