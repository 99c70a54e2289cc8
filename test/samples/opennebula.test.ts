import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import type { Plan } from '../../src/generated/plan.js';
import { temporaryFolder, vsmmu } from '../cli/run.js';
import { documentText, REPOSITORY } from '../documents.js';
import { FAILURES, install, onHost } from './programs.js';

const gh200 = documentText('samples/domains/gh200-vm.xml');

/**
 * Replaces OpenNebula's script (src/vmm_mad/remotes/kvm/deploy, the same in 7.2.0 and 7.4.0): stores standard input in the file of
 * its first argument, creates the domain, and prints its UUID.
 */
const DEPLOY = `#!/bin/bash
source $(dirname $0)/../../etc/vmm/kvm/kvmrc
mkdir -p $(dirname $1)
cat > $1
echo "$LIBVIRT_URI $2 $3" > $(dirname $1)/arguments
[ -z "$REFUSED" ] || { echo "Could not create domain from $1" >&2; exit -1; }
echo 0b7fbe8d-6a64-4e0f-8f8a-3f5d0a6f7c01
`;

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  for (const name of ['bin', 'etc/vmm/kvm', 'vmm/kvm']) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(join(REPOSITORY, 'samples/opennebula/deploy'), join(folder, 'vmm/kvm/deploy'));
  writeFileSync(join(folder, 'vmm/kvm/deploy.one'), DEPLOY, { mode: 0o755 });
  configure('');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes the configuration that the scripts read. */
function configure(settings: string): void {
  const kvmrc = `export LANG=C\nexport LIBVIRT_URI=qemu:///system\nVSMMU_LIMIT=1\n${settings}\n`;
  writeFileSync(join(folder, 'etc/vmm/kvm/kvmrc'), kvmrc);
}

/** Deploys a VM as OpenNebula's driver does. Returns the driver's result, and the domain that was created, if any. */
function deploy(xml: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, 'datastores/0/42/deployment.0');
  const { status, stdout, stderr } = spawnSync(join(folder, 'vmm/kvm/deploy'), [file, 'host1', '42'], {
    input: xml,
    encoding: 'utf8',
    env: { PATH: `${folder}/bin:/usr/bin:/bin`, ...env },
  });
  return { status, stdout, stderr, created: existsSync(file) ? readFileSync(file, 'utf8') : undefined };
}

const STARTED = { status: 0, stdout: '0b7fbe8d-6a64-4e0f-8f8a-3f5d0a6f7c01\n' };

describe("OpenNebula's deploy script", () => {
  it('creates the domain that vsmmu rewrite --relayout prints, and passes arguments and output on', () => {
    install(join(folder, 'bin'), onHost('gh200.json'));
    configure('VSMMU_LIMIT=60');
    const options = ['--relayout', '--topology', 'samples/hosts/gh200.json', 'samples/domains/gh200-vm.xml'];
    const { stdout } = vsmmu(['rewrite', ...options]);
    expect(stdout).not.toBe(gh200);
    expect(deploy(gh200)).toMatchObject({ ...STARTED, created: stdout });
    const given = readFileSync(join(folder, 'datastores/0/42/arguments'), 'utf8');
    expect(given).toBe('qemu:///system host1 42\n');
  });

  it.each([
    ['one-1', 'gb200.json', [1]],
    ['one-2', 'gb200.json', [1, 1]],
    ['one-4', 'dense.json', [2, 2]],
    ['one-12', 'dense.json', [4, 4, 4]],
  ])("creates OpenNebula's own domain %s on %s with the vSMMUs of the plan, one per SMMU", (name, host, devices) => {
    const xml = documentText(`samples/opennebula/${name}.xml`);
    install(join(folder, 'bin'), onHost(host).replace('--libvirt 12.8 --qemu 11.1', '--libvirt nvidia --qemu nvidia'));
    configure('VSMMU_LIMIT=60');
    const run = deploy(xml);
    expect(run).toMatchObject(STARTED);
    const options = ['--json', '--relayout', '--topology', `samples/hosts/${host}`];
    const target = ['--libvirt', 'nvidia', '--qemu', 'nvidia'];
    const json = JSON.parse(vsmmu(['plan', ...options, ...target, `samples/opennebula/${name}.xml`]).stdout);
    const { expanderBuses } = json.plan as Plan;
    expect(expanderBuses.map(({ ports }) => ports.flatMap((port) => port.devices).length)).toEqual(devices);
    const { iommus, hostDevices, controllers } = parseDomain(run.created ?? '');
    const busNrs = iommus.map(({ pciBus }) => controllers.find(({ index }) => index === pciBus)?.busNr);
    expect(busNrs).toEqual(expanderBuses.map(({ busNr }) => busNr));
    const places = (json.plan as Plan).devices.map(({ bdf, to }) => [bdf, to]);
    expect(hostDevices.map(({ bdf, address }) => [bdf, address])).toEqual(places);
    expect(vsmmu(['revert', '-'], run.created).stdout).toBe(xml);
  });

  it('fails as OpenNebula does if libvirt refuses the domain', () => {
    expect(deploy(gh200, { REFUSED: '1' })).toMatchObject({ status: 255, stdout: '', created: gh200 });
  });

  it.each(FAILURES)('creates the unconverted domain if vsmmu %s', (_, script) => {
    install(join(folder, 'bin'), script);
    const run = deploy(gh200);
    expect(run).toMatchObject({ ...STARTED, created: gh200 });
    expect(run.stderr).toMatch(/^vsmmu: vsmmu rewrite /m);
  });

  it.each(FAILURES)('creates nothing with VSMMU_MODE=enforce if vsmmu %s', (_, script) => {
    install(join(folder, 'bin'), script);
    configure('VSMMU_MODE=enforce');
    const run = deploy(gh200);
    expect(run).toMatchObject({ status: 1, stdout: '', created: undefined });
    expect(run.stderr).toMatch(/^vsmmu: vsmmu rewrite /m);
  });

  it('creates a domain without a host device unchanged, even with VSMMU_MODE=enforce and without vsmmu', () => {
    configure('VSMMU_MODE=enforce');
    const xml = documentText('samples/domains/virtio-only.xml');
    expect(deploy(xml)).toMatchObject({ ...STARTED, created: xml });
  });

  it('creates the unconverted domain with VSMMU_MODE=off', () => {
    install(join(folder, 'bin'), onHost('gh200.json'));
    configure('VSMMU_MODE=off');
    expect(deploy(gh200)).toMatchObject({ ...STARTED, created: gh200 });
  });
});
