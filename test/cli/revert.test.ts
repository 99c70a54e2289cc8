import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

const HOST = ['--topology', 'samples/hosts/host-a.json'];
const SAMPLE = 'samples/domains/ml-train.xml';
const before = readFileSync(join(REPOSITORY, SAMPLE), 'utf8');
const after = vsmmu(['rewrite', ...HOST, SAMPLE]).stdout;

function fileOf(xml: string): string {
  const file = join(temporaryFolder(), 'vm.xml');
  writeFileSync(file, xml);
  return file;
}

describe('revert', () => {
  it('prints the input of rewrite, also from standard input, and needs no host', () => {
    expect(vsmmu(['revert', fileOf(after)])).toEqual({ code: 0, stdout: before, stderr: '' });
    expect(vsmmu(['revert'], after)).toEqual({ code: 0, stdout: before, stderr: '' });
  });

  it('writes back with --in-place, and keeps the rewritten file with --backup', () => {
    const file = fileOf(after);
    expect(vsmmu(['revert', '-i', '--backup', '.vsmmu', file])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(readFileSync(`${file}.vsmmu`, 'utf8')).toBe(after);
  });

  it('prints a diff with --diff, and one JSON document with --json', () => {
    expect(vsmmu(['revert', '--diff'], after).stdout).toContain('-    <vsmmu:placement');
    const document = JSON.parse(vsmmu(['revert', '--json'], after).stdout);
    expect(document).toEqual({ changed: true, diagnostics: [], xml: before });
  });

  it('changes nothing if vsmmu added nothing, and reports that', () => {
    const run = vsmmu(['revert', SAMPLE]);
    expect(run).toMatchObject({ code: 0, stdout: before });
    expect(run.stderr).toMatch(/^samples\/domains\/ml-train.xml:1:1: note: revert-nothing: /);
  });

  it('refuses expander buses that no record lists, and writes no file, unless --force is given', () => {
    const file = fileOf(after.replace(/<vsmmu:placement[\s\S]*<\/vsmmu:placement>/, ''));
    const text = readFileSync(file, 'utf8');
    const run = vsmmu(['revert', '-i', '--backup', '.vsmmu', file]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/:\d+:\d+: error: revert-unrecorded: .*--force/);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(existsSync(`${file}.vsmmu`)).toBe(false);
    expect(vsmmu(['revert', '-i', '--force', file]).code).toBe(0);
    expect(readFileSync(file, 'utf8')).not.toMatch(/expander|iommu model/);
  });

  it('treats warnings as errors with --strict, and writes nothing', () => {
    const xml = after.replace(/<vsmmu:placement[\s\S]*<\/vsmmu:placement>/, '');
    expect(vsmmu(['revert', '--force', '--strict'], xml)).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('rewrite --relayout', () => {
  it('plans a rewritten domain like the original', () => {
    const policy = ['--grouping', 'device', '--spare-ports', '1'];
    const fresh = vsmmu(['rewrite', ...HOST, ...policy, SAMPLE]).stdout;
    expect(vsmmu(['rewrite', ...HOST, ...policy, '--relayout'], after)).toMatchObject({ code: 0, stdout: fresh });
    const unchanged = JSON.parse(vsmmu(['rewrite', ...HOST, '--relayout', '--json'], after).stdout);
    expect(unchanged).toMatchObject({ changed: false, xml: after });
  });

  it('is a key of the policy', () => {
    const policy = join(temporaryFolder(), 'policy.json');
    writeFileSync(policy, '{"relayout": true, "busWindow": 12}');
    const option = vsmmu(['rewrite', ...HOST, '--relayout', '--bus-window', '12'], after);
    expect(vsmmu(['rewrite', ...HOST, '--policy', policy], after).stdout).toBe(option.stdout);
    expect(option.stdout).not.toBe(after);
  });

  it('refuses rather than leave a slot without function 0 if the record is lost', () => {
    const host = ['--topology', 'samples/hosts/gb200.json'];
    const { code, stdout, stderr } = vsmmu(['rewrite', ...host, '--relayout', 'test/fixtures/kubevirt/relayout/2.xml']);
    expect(stderr).not.toMatch(/warning: slot-without-function-zero/);
    if (code !== 0) expect(stderr).toMatch(/error: slot-without-function-zero/);
    else expect(vsmmu(['check', ...host], stdout).stderr).not.toContain('slot-without-function-zero');
  });

  it('is also an option of plan', () => {
    const plan = (args: string[], xml: string) => JSON.parse(vsmmu(['plan', '--json', ...HOST, ...args], xml).stdout);
    expect(plan(['--relayout'], after)).toMatchObject({ changed: false, plan: plan([], before).plan });
    expect(plan(['--relayout', '--bus-window', '12'], after).changed).toBe(true);
  });

  it('reports an invalid record', () => {
    const broken = after.replace(' digest="', ' digest="x');
    expect(vsmmu(['rewrite', ...HOST], broken)).toMatchObject({ code: 0, stdout: broken });
    expect(vsmmu(['rewrite', ...HOST], broken).stderr).toMatch(/<stdin>:\d+:\d+: warning: metadata-invalid: /);
  });
});
