import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { convertXml, failure } from '../../src/batch/conversion.js';
import { runIncomplete } from '../../src/diagnostics/batch.js';
import { EnvironmentError, InputError } from '../../src/diagnostics/errors.js';
import { fileUnreadable } from '../../src/diagnostics/files.js';
import { libvirtUnreachable } from '../../src/diagnostics/libvirt.js';
import { usage } from '../../src/diagnostics/usage.js';
import { UPSTREAM } from '../../src/domain/target.js';
import { readTopology } from '../../src/host/snapshot.js';
import { policyWithDefaults } from '../../src/policy/policy.js';
import { HOST, text } from '../cli/batch-sandbox.js';

const host = readTopology(readFileSync(HOST, 'utf8'), HOST);
const settings = { policy: policyWithDefaults({}), target: UPSTREAM, forceTcg: false, strict: false };
const convertStrictly = (strict: boolean) => convertXml(text, () => host, { ...settings, strict });

describe('a domain with warnings', () => {
  it('is converted, and refused with --strict, which turns only the warnings into errors', () => {
    const { verdict, diagnostics } = convertStrictly(false);
    expect(verdict).toBe('convert');
    const severities = (list: typeof diagnostics) => list.map(({ severity }) => severity);
    expect(new Set(severities(diagnostics))).toEqual(new Set(['note', 'warning']));
    const strict = convertStrictly(true);
    expect(strict).toMatchObject({ verdict: 'refused', after: undefined, name: 'ml-train-01' });
    expect(severities(strict.diagnostics)).toEqual(
      severities(diagnostics).map((severity) => (severity === 'warning' ? 'error' : severity)),
    );
  });
});

describe('an error', () => {
  it('of the environment concerns one domain', () => {
    expect(failure(new EnvironmentError(fileUnreadable.system({ error: 'why' })))).toMatchObject([
      { code: 'file-unreadable' },
    ]);
  });

  it.each([
    new EnvironmentError(libvirtUnreachable({ uri: '', why: 'why' })),
    new EnvironmentError(runIncomplete.missing({ domain: 'vm', more: 0 })),
    new InputError(usage.give({ what: 'why' })),
    new TypeError('why'),
  ])('ends the run: %s', (error) => {
    expect(() => failure(error)).toThrow(error);
  });
});
