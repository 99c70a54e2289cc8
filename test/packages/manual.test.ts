import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { manPages } from '../../bin/build/man.js';
import { run } from './packages.js';

const folder = mkdtempSync(join(tmpdir(), 'vsmmu-man-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const pages = manPages(new Date('2026-01-02T00:00:00Z'));
for (const [name, page] of Object.entries(pages)) writeFileSync(join(folder, name), page);

describe('the man pages', () => {
  it.each(Object.keys(pages))('have no warning of mandoc: %s', (name) => {
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
