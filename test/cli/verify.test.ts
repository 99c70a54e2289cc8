import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { GUEST_SCRIPT } from '../../src/generated/guest-script.js';
import { DOMAINS, type RecordedVirsh, withRecordedVirsh } from '../libvirt/recorded-virsh.js';
import { defined, monitorOf, reportOf, started } from '../verify/running.js';
import { type Run, temporaryFolder, vsmmu } from './run.js';

const [vm] = DOMAINS;
const live = started(defined).replace(/<uuid>.*<\/uuid>/, `<uuid>${vm.uuid}</uuid>`);
const report = reportOf(parseDomain(live));
const HOST = ['--topology', 'samples/hosts/gh200.json', '--libvirt', '12.8', '--qemu', '11.1'];

/** Starts a recorded libvirt that has the domain in this state. */
function start(state = 'running'): RecordedVirsh {
  const virsh = withRecordedVirsh(() => live);
  virsh.answer(`domstate ${vm.uuid}`, `${state}\n\n`);
  return virsh;
}

const verify = (input: string, ...args: readonly string[]): Run =>
  vsmmu(['verify', ...HOST, '--guest-report', '-', ...args, 'vm'], input);

describe('vsmmu verify', () => {
  it('lists the checks that pass, and exits with 0', () => {
    const virsh = start();
    const { code, stdout, stderr } = verify(report);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/Guest: Checking that it translates each device's DMA *: PASS \(DMA-FQ\)\n/);
    expect(stdout).toMatch(/\nThe guest of vm matches the plan; \d warnings?\.\n$/);
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(code).toBe(0);
    expect(virsh.asked().join('\n'), 'no monitor, no agent').not.toMatch(/qemu-/);
  });

  it('lists the checks that fail, with code and remedy, and exits with 1', () => {
    start();
    const { code, stdout } = verify(report.replaceAll('DMA-FQ', 'identity'));
    expect(stdout).toMatch(/translates each device's DMA *: FAIL\n/);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(
      /group is identity \(guest-passthrough\).*-> remove iommu\.passthrough=1/,
    );
    expect(stdout).toMatch(/1 of \d+ checks fail/);
    expect(code).toBe(1);
  });

  it('prints one JSON document for programs', () => {
    start();
    const { code, stdout } = verify(report.replaceAll('DMA-FQ', 'identity'), '--json');
    expect(code).toBe(1);
    const { changed, verified, diagnostics, checks } = JSON.parse(stdout);
    expect({ changed, verified }).toEqual({ changed: false, verified: false });
    expect(diagnostics.filter(({ severity }: { severity: string }) => severity === 'error')).toHaveLength(3);
    expect(checks.find(({ title }: { title: string }) => /translates/.test(title))).toMatchObject({
      of: 'Guest',
      grade: 'fail',
      codes: ['guest-passthrough', 'guest-passthrough', 'guest-passthrough'],
    });
  });

  it('treats warnings as errors with --strict', () => {
    start();
    // There is no running QEMU in this test.
    expect(verify(report, '--strict')).toMatchObject({ code: 1, stdout: expect.stringContaining('qemu-not-found') });
  });

  it('prints only failed checks with --quiet', () => {
    start();
    expect(verify(report, '--quiet')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it("asks QEMU's monitor for its devices and its SMMUs with --monitor", () => {
    const virsh = start();
    virsh.answer(`qemu-monitor-command ${vm.uuid} {"execute":"query-pci"}`, '{"return":[]}\n');
    // This virsh has no answer about an SMMU.
    expect(verify(report, '--monitor').code).toBe(3);
    expect(virsh.asked().at(-1)).toBe(
      `qemu-monitor-command ${vm.uuid} {"execute":"qom-get","arguments":{"path":"/machine/peripheral/iommu0","property":"accel"}}`,
    );
  });

  it("compares the answers of QEMU's monitor with the domain", () => {
    const virsh = start();
    virsh.answer(`qemu-monitor-command ${vm.uuid} {"execute":"query-pci"}`, JSON.stringify(monitorOf().pci));
    for (const n of [0, 1, 2]) {
      const path = `{"execute":"qom-get","arguments":{"path":"/machine/peripheral/iommu${n}","property":"accel"}}`;
      virsh.answer(`qemu-monitor-command ${vm.uuid} ${path}`, `{"return":${n < 2}}\n`);
    }
    const { checks } = JSON.parse(verify(report, '--monitor', '--json').stdout);
    expect(checks.find(({ title }: { title: string }) => /monitor/.test(title))).toMatchObject({
      grade: 'fail',
      codes: ['monitor-differs', 'monitor-taints'],
    });
  });

  it('does not ask the guest of a paused domain', () => {
    start('paused');
    const { code, stdout } = vsmmu(['verify', ...HOST, 'vm']);
    expect(code).toBe(0);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/Checking its own report : WARN [^;]*paused/);
  });

  it('refuses a domain of another architecture', () => {
    const virsh = start();
    virsh.put(vm.uuid, live.replace("arch='aarch64'", "arch='x86_64'"));
    expect(verify(report)).toMatchObject({ code: 1, stderr: expect.stringContaining('error: domain-not-aarch64') });
  });

  it('prints each finding below its check', async () => {
    start();
    const text = verify(report.replaceAll('DMA-FQ', 'identity'), '--verbose').stdout;
    // The checks of QEMU and of the host depend on this machine.
    const shown = text.slice(text.indexOf('  Guest: ')).replace(/; \d warnings?/, '');
    await expect(shown).toMatchFileSnapshot('golden/verify.txt');
  });

  it('refuses a domain that is not running', () => {
    start('shut off');
    const { code, stderr } = verify(report);
    expect(stderr).toMatch(/^vm: error: domain-not-running: vm is not running \(shut off\)/);
    expect(code).toBe(1);
  });

  it('reports that the guest could not be queried if libvirt cannot run a guest agent command', () => {
    start();
    const { code, stdout } = vsmmu(['verify', ...HOST, 'vm']);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(
      /its own report : WARN there is no report from the guest: .*--guest-script/,
    );
    expect(code).toBe(0);
  });

  it.each([
    ['a report that was cut off', report.slice(0, 200), /^vm: error: guest-report-invalid: .*cut off/],
    ['something else', 'Permission denied\n', /^vm: error: guest-report-invalid: .*first line/],
  ])('gives no verdict for %s', (_, text, message) => {
    start();
    const { code, stdout, stderr } = verify(text);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('reads a report from a file', () => {
    start();
    const file = join(temporaryFolder(), 'report');
    writeFileSync(file, report);
    expect(vsmmu(['verify', ...HOST, '--guest-report', file, 'vm']).code).toBe(0);
    expect(vsmmu(['verify', ...HOST, '--guest-report', `${file}.gone`, 'vm']).code).toBe(3);
  });

  it('prints the script for guests without libvirt', () => {
    expect(vsmmu(['verify', '--guest-script'])).toEqual({ code: 0, stdout: GUEST_SCRIPT, stderr: '' });
  });

  it.each([
    ['no domain', [], /give the name or the UUID of a domain/],
    ['two domains', ['vm', 'vm2'], /expected one domain, found 2/],
    ['a domain and --guest-script', ['--guest-script', 'vm'], /takes no operand/],
    ['a remote libvirt without its topology', ['--connect', 'qemu+ssh://host/system', 'vm'], /on another machine/],
  ])('refuses %s', (_, args, message) => {
    const { code, stderr } = vsmmu(['verify', ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
