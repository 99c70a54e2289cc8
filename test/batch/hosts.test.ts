import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hostFinder } from '../../src/batch/hosts.js';
import { HOST } from '../cli/batch-sandbox.js';
import { temporaryFolder } from '../cli/run.js';

function mapWith(content: unknown): string {
  const folder = temporaryFolder();
  const map = join(folder, 'map.json');
  writeFileSync(map, JSON.stringify(content));
  copyFileSync(HOST, join(folder, 'a.json'));
  copyFileSync(HOST, join(folder, 'b.json'));
  return map;
}

describe('a map of domains to hosts', () => {
  it('is searched for the file, then for the name, then for the default', () => {
    const find = hostFinder({ map: mapWith({ 'x/vm.xml': 'a.json', vm: 'b.json', '*': 'a.json' }) });
    const [byPath, byName, other] = [find('x/vm.xml', 'vm'), find('y/vm.xml', 'vm'), find('z.xml', 'z')];
    expect(byPath).toBe(other);
    expect(byName).not.toBe(byPath);
  });

  it('makes vsmmu read each host once', () => {
    const map = mapWith({ '*': 'a.json' });
    const find = hostFinder({ map });
    const first = find('x.xml', 'x');
    rmSync(join(map, '../a.json'));
    expect(find('y.xml', 'y')).toBe(first);
  });

  it('gives an error that names the domain without a host, by its file if it has no name', () => {
    const find = hostFinder({ map: mapWith({ vm: 'a.json' }) });
    expect(() => find('x.xml', 'other')).toThrow(/ other/);
    expect(() => find('x.xml', '')).toThrow(/ x\.xml/);
  });

  it.each([[[]], [null], ['text'], [{ vm: 1 }]])('may not be %j', (content) => {
    expect(() => hostFinder({ map: mapWith(content) })).toThrow(/must be/);
  });
});
