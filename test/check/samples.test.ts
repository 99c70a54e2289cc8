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
 * The samples: each file in `samples/broken` has one error and is named after its code. `samples/mended` has the same file
 * with this error corrected. The first line of each file is the command that checks it.
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

describe('the samples of errors', () => {
  it.each(NAMES)('%s has that error, and no other', (name) => {
    const codes = found(read('broken', name)).map(({ code }) => code);
    expect([...new Set(codes)]).toEqual([codeOf(name)]);
  });

  it.each(NAMES)('%s in samples/mended has no error', (name) => {
    expect(found(read('mended', name))).toEqual([]);
  });

  it.each(NAMES)('%s contains the command that checks it', (name) => {
    for (const kind of ['broken', 'mended'] as const) {
      expect(read(kind, name).command).toMatch(new RegExp(` samples/${kind}/${name}\\.xml$`));
    }
  });

  it('contain a file for each rule', () => {
    const inspections = NAMES.map((name) => {
      const { domain, host, target } = read('broken', name);
      return inspect(domain, host, { target });
    });
    const idle = RULES.filter((rule) => inspections.every((inspection) => rule(inspection).length === 0));
    expect(idle).toEqual([]);
  });

  it.each(NAMES)('%s is reported at the wrong element', (name) => {
    const { domain } = read('broken', name);
    const lines = domain.document.text.split('\n');
    for (const { location } of found(read('broken', name))) {
      expect(lines[(location?.line ?? 0) - 1]?.slice((location?.column ?? 0) - 1)).toMatch(/^<[a-z]/);
    }
  });
});
