import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { inspect } from '../../src/check/inspection.js';
import { RULES } from '../../src/check/rules.js';
import { CODES } from '../../src/diagnostics/codes.js';
import { type Domain, readDomain } from '../../src/domain/domain.js';
import { libvirtOfVersion, type Target, UPSTREAM } from '../../src/domain/target.js';
import type { Host } from '../../src/host/host.js';
import { readTopology } from '../../src/host/snapshot.js';
import { REPOSITORY } from '../cli/run.js';

/**
 * The samples: each in `samples/broken` has one thing wrong with it, named by its code, and what mends just that is in
 * `samples/mended`. The first line of each is the command to look at it with.
 */
const NAMES = readdirSync(join(REPOSITORY, 'samples/broken')).map((file) => file.replace(/\.xml$/, ''));
const LONGEST_FIRST = Object.keys(CODES).sort((a, b) => b.length - a.length);

interface Sample {
  readonly command: string;
  readonly domain: Domain;
  readonly host: Host;
  readonly target: Target;
}

function read(kind: 'broken' | 'mended', name: string): Sample {
  const xml = readFileSync(join(REPOSITORY, 'samples', kind, `${name}.xml`), 'utf8');
  const [, command = '', topology = '', libvirt] =
    /^<\?(vsmmu check --topology (\S+)(?: --libvirt (\S+))? \S+)\?>\n/.exec(xml) ?? [];
  const host = readTopology(readFileSync(join(REPOSITORY, topology), 'utf8'), topology);
  const target = libvirt === undefined ? UPSTREAM : { ...UPSTREAM, libvirt: libvirtOfVersion(libvirt) };
  return { command, domain: readDomain(xml), host, target };
}

const found = ({ domain, host, target }: Sample) => check(domain, host, { target });
const codeOf = (name: string) => LONGEST_FIRST.find((code) => name === code || name.startsWith(`${code}-`));

describe('the samples of what may be wrong', () => {
  it.each(NAMES)('%s trips that check, and no other', (name) => {
    const codes = found(read('broken', name)).map(({ code }) => code);
    expect([...new Set(codes)]).toEqual([codeOf(name)]);
  });

  it.each(NAMES)('%s, mended, trips none', (name) => {
    expect(found(read('mended', name))).toEqual([]);
  });

  it.each(NAMES)('%s says how it is looked at', (name) => {
    for (const kind of ['broken', 'mended'] as const) {
      expect(read(kind, name).command).toMatch(new RegExp(` samples/${kind}/${name}\\.xml$`));
    }
  });

  it('have one for each rule', () => {
    const inspections = NAMES.map((name) => {
      const { domain, host, target } = read('broken', name);
      return inspect(domain, host, { target });
    });
    const idle = RULES.filter((rule) => inspections.every((inspection) => rule(inspection).length === 0));
    expect(idle).toEqual([]);
  });

  it.each(NAMES)('%s is told of at the element that is wrong', (name) => {
    const { domain } = read('broken', name);
    const lines = domain.document.text.split('\n');
    for (const { location } of found(read('broken', name))) {
      expect(lines[(location?.line ?? 0) - 1]?.slice((location?.column ?? 0) - 1)).toMatch(/^<[a-z]/);
    }
  });
});
