import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert } from '../src/convert.js';
import type { Diagnostic } from '../src/diagnostics/diagnostic.js';
import { RefusedError } from '../src/diagnostics/errors.js';
import { parseDomain } from '../src/domain/domain.js';
import { readTopology } from '../src/host/snapshot.js';
import { policyWithDefaults } from '../src/policy/policy.js';
import { REPOSITORY } from './cli/run.js';

const sample = (path: string): string => readFileSync(join(REPOSITORY, 'samples', path), 'utf8');
const host = readTopology(sample('hosts/host-a.json'), 'host-a.json');
const text = sample('domains/ml-train.xml');
const policy = policyWithDefaults({});

/** The diagnostics for which a conversion is refused. */
function refusal(action: () => unknown): readonly Diagnostic[] {
  try {
    action();
  } catch (error) {
    if (error instanceof RefusedError) return error.diagnostics;
  }
  throw new Error('it was not refused');
}

describe('convert', () => {
  const { xml } = convert(parseDomain(text), host);

  it('changes nothing when its own result is converted again, also with relayout', () => {
    expect(xml).not.toBe(text);
    for (const relayout of [false, true]) {
      const again = convert(parseDomain(xml), host, { policy: { ...policy, relayout } });
      expect({ xml: again.xml, changed: again.changed }).toEqual({ xml, changed: false });
    }
  });

  it('returns the parsed result and its text', () => {
    const { after, ...rest } = convert(parseDomain(text), host);
    expect(after.document.text).toBe(rest.xml);
  });

  it('refuses warnings with strict', () => {
    const { diagnostics } = convert(parseDomain(text), host);
    expect(diagnostics.map(({ severity }) => severity)).toContain('warning');
    const expected = diagnostics.map((d) => (d.severity === 'warning' ? { ...d, severity: 'error' } : d));
    expect(refusal(() => convert(parseDomain(text), host, { strict: true }))).toEqual(expected);
  });

  it('leaves a domain of another architecture unchanged, also with relayout', () => {
    const other = xml.replace("arch='aarch64'", "arch='x86_64'");
    const result = convert(parseDomain(other), host, { policy: { ...policy, relayout: true } });
    expect({ xml: result.xml, codes: result.diagnostics.map(({ code }) => code) }).toEqual({
      xml: other,
      codes: ['domain-not-aarch64'],
    });
  });

  it('gives no location in a text that the caller does not have', () => {
    const conflict = `<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-device'/><qemu:arg value='pxb-pcie'/></qemu:commandline></domain>`;
    const domain = parseDomain(xml.replace('</domain>', conflict));
    expect(refusal(() => convert(domain, host)).some(({ location }) => location)).toBe(true);
    const found = refusal(() => convert(domain, host, { policy: { ...policy, relayout: true } }));
    expect(found.filter(({ code }) => code === 'commandline-conflict')).toMatchObject([{ severity: 'error' }]);
    expect(found.some(({ location }) => location)).toBe(false);
  });
});
