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

  it('keeps the 64 hosts in memory that were used last', () => {
    const names = Array.from({ length: 65 }, (_, i) => `h${i}`);
    const map = mapWith(Object.fromEntries(names.map((name) => [name, `${name}.json`])));
    const fileOf = (name: string) => join(map, '..', `${name}.json`);
    for (const name of names) copyFileSync(HOST, fileOf(name));
    const find = hostFinder({ map });
    const use = (name: string) => find('', name);
    const [first = '', second = '', ...others] = names;
    const last = others.pop() ?? '';
    const known = [first, second, ...others].map(use);
    expect(use(first)).toBe(known[0]);
    use(last);
    for (const name of names) rmSync(fileOf(name));
    expect(use(first)).toBe(known[0]);
    expect(others.map(use)).toEqual(known.slice(2));
    expect(() => use(second)).toThrow('no such file');
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
