import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Probe } from '../../src/host/probe/probe.js';
import { EMULATED_REGISTERS } from '../host/probe/emulated-smmu.js';
import { devices } from './devices.js';
import { domainXml } from './domains.js';
import { AccelGuest } from './guest.js';
import { AccelHost } from './host.js';
import { proves } from './proven.js';
import { define, openHost, place, vsmmu, vsmmuOutput } from './stage.js';

let host: AccelHost;
beforeAll(async () => {
  host = await openHost();
});
afterAll(async () => await host.disconnect());

const { first, second, twins, board } = devices;

/** Binds a device to a driver, with the commands that `vsmmu explain probe-impossible` shows. */
async function bind(where: AccelHost, bdf: string, driver = 'vfio-pci'): Promise<void> {
  const device = `/sys/bus/pci/devices/${bdf}`;
  await where.script(`if [ "$(basename "$(readlink ${device}/driver)")" != ${driver} ]; then
    echo ${driver} >${device}/driver_override; echo ${bdf} >${device}/driver/unbind; echo ${bdf} >/sys/bus/pci/drivers_probe
  fi`);
}

/** The result of `vsmmu doctor --probe` for a device. */
async function probed(where: AccelHost, bdf: string): Promise<Probe> {
  const { stdout, stderr } = await vsmmu(where, ['doctor', '--json', '--probe', bdf]);
  expect(stderr).toBe('');
  const { probes } = JSON.parse(stdout) as { probes: readonly Probe[] };
  expect(probes).toHaveLength(1);
  return probes[0] as Probe;
}

/** Runs a probe that fails on this host, and returns its exit code and message. */
async function refusal(bdf: string): Promise<readonly [code: number, message: string]> {
  const { code, stdout, stderr } = await vsmmu(host, ['doctor', '--probe', bdf]);
  expect(stdout).toBe('');
  return [code, stderr];
}

/** The SMMU that QEMU 11.1 emulates with `stage=nested`, for a root complex that is marked as CANWBS. */
const EMULATED: Omit<Probe, 'smmu'> = {
  device: first as Probe['device'],
  features: { nesting: true, cmdqv: false, ats: false, ril: true, ssidsize: 0, oas: 44 },
  registers: EMULATED_REGISTERS,
};

describe('vsmmu doctor', () => {
  it('reports that this host can accelerate vSMMUs', async ({ task }) => {
    const { code, stdout } = await vsmmu(host, ['doctor']);
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/\/dev\/iommu +: PASS/);
    proves(task, 'vsmmu doctor passes on a host with nested SMMUs');
  });

  it('reports SMMUs without nested translation as a failure', async ({ task }) => {
    await using flat = await AccelHost.start({ smmus: 'flat' });
    const { code, stdout } = await vsmmu(flat, ['doctor']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/nested translation +: FAIL/);
    await bind(flat, first);
    expect(await probed(flat, first)).toMatchObject({
      features: { nesting: false, oas: 44 },
      notNested: 'it has one stage of translation (IOMMU_HWPT_ALLOC fails with ENOTSUP)',
    });
    proves(task, 'vsmmu doctor fails where the SMMUs translate in one stage only; --probe sees it without the log');
  });

  it('reports a missing /dev/iommu for a kernel without IOMMUFD', async ({ task }) => {
    await host.script('mv /dev/iommu /dev/iommu.away');
    try {
      const { code, stdout } = await vsmmu(host, ['doctor']);
      expect(code).toBe(1);
      expect(stdout).toMatch(/\/dev\/iommu +: FAIL/);
      proves(task, 'vsmmu doctor fails where /dev/iommu is missing');
    } finally {
      await host.script('mv /dev/iommu.away /dev/iommu');
    }
  });
});

describe('--probe', () => {
  beforeAll(async () => await bind(host, first));
  afterAll(async () => await bind(host, first, 'nvme'));

  it('reads the ID registers of an SMMU and finds nested translation', async ({ task }) => {
    const { smmu, ...found } = await probed(host, first);
    expect(found).toEqual(EMULATED);
    const { code, stdout } = await vsmmu(host, ['doctor', '--probe', first]);
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/the SMMU of 0000:11:00\.0 +: PASS\n +smmu3\.0x000000000c000000\n/);
    expect(smmu).toBe('smmu3.0x000000000c000000');
    proves(task, 'vsmmu doctor --probe reads the ID registers of an SMMU through iommufd, and that it nests');
  });

  it('leaves the device as it was, for a guest and for another probe', async () => {
    await probed(host, first);
    await probed(host, first);
    const files = await host.script(
      'for p in /proc/[0-9]*; do readlink $p/fd/* || true; done | grep -c ^/dev/vfio || true',
    );
    expect(files).toBe('0\n');
    const { guest } = await place(host, { name: 'probed', hostdevs: [first] });
    try {
      await guest.start();
      expect(await guest.readQemuLog()).toContain('alloc_viommu');
      expect(await refusal(first)).toEqual([3, expect.stringMatching(/: probe-failed: 0000:11:00\.0 is in use; /)]);
    } finally {
      await guest.remove();
      await bind(host, first);
    }
  });

  it('stores the registers in a snapshot, and check then predicts a refusal that the kernel log does not show', async ({
    task,
  }) => {
    const snapshot = await vsmmuOutput(host, ['topology', '--json', '--probe', first]);
    await host.put('/tmp/probed.json', snapshot);
    const domain = await define(host, domainXml({ name: 'pasid', hostdevs: [first] }));
    const rewritten = await vsmmuOutput(host, ['rewrite', '-'], domain);
    const wrong = rewritten.replace("accel='on'", "accel='on' ssidsize='8'");
    expect(wrong).not.toBe(rewritten);
    const { code, stderr } = await vsmmu(host, ['check', '--topology', '/tmp/probed.json', '-'], wrong);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/: vsmmu-value-beyond-host: .* ssidsize='8'.* 0 bits/)]);
    await new AccelGuest(host, 'pasid').remove();
    proves(task, 'a snapshot of vsmmu topology --probe: vsmmu check reports PASIDs that the SMMU does not have');
  });

  it.for([
    ['a device that does not exist', '0000:fe:00.0', 1, /: device-missing: /],
    ['a device behind no SMMU', board, 1, /: probe-impossible: .* behind no SMMUv3; /],
    [
      'a device bound to another driver',
      second,
      1,
      /bound to nvme, not to vfio-pci; .*nodedev-detach pci_0000_12_00_0/,
    ],
  ] as const)('refuses %s, and changes nothing', async ([, bdf, code, says]) => {
    const driver = () => host.run(['readlink', `/sys/bus/pci/devices/${bdf}/driver`]);
    const before = await driver();
    expect(await refusal(bdf)).toEqual([code, expect.stringMatching(says)]);
    expect(await driver()).toEqual(before);
  });

  it('reports that another function of the group is bound to a host driver', async () => {
    const [one = ''] = twins;
    await bind(host, one);
    try {
      expect(await refusal(one)).toEqual([
        3,
        expect.stringMatching(
          /: probe-failed: another device of IOMMU group \d+ of \S+ is in use by a host driver or a guest/,
        ),
      ]);
    } finally {
      await bind(host, one, 'e1000e');
    }
  });

  it('reports that the device is in use if a program has opened its group', async () => {
    const open = `exec 5<>/dev/vfio/$(basename "$(readlink /sys/bus/pci/devices/${first}/iommu_group)"); vsmmu doctor --quiet --probe ${first}`;
    const { code, stderr } = await host.run(['bash', '-c', open]);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/: probe-failed: 0000:11:00\.0 is in use; /)]);
  });

  it('needs root and /dev/iommu', async () => {
    const asNobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'vsmmu'];
    const { code, stderr } = await host.run([...asNobody, 'doctor', '--quiet', '--probe', first]);
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/: probe-failed: \/dev\/iommu cannot be opened; .* root/),
    ]);
    await host.script('mv /dev/iommu /dev/iommu.away');
    try {
      expect(await refusal(first)).toEqual([3, expect.stringMatching(/: probe-failed: \/dev\/iommu does not exist; /)]);
    } finally {
      await host.script('mv /dev/iommu.away /dev/iommu');
    }
  });
});

it('--probe reports no nested translation without S2FWB and CANWBS, although the SMMU has both stages', async ({
  task,
}) => {
  await using plain = await AccelHost.start({ canwbs: false });
  await bind(plain, first);
  const { notNested, features } = await probed(plain, first);
  expect(features).toMatchObject({ nesting: false, oas: 44 });
  expect(notNested).toBe(
    'it has no S2FWB, and firmware does not mark its root complex as CANWBS (IOMMU_VIOMMU_ALLOC fails with ENOTSUP)',
  );
  const { code, stdout } = await vsmmu(plain, ['doctor', '--probe', first]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/nested translation +: FAIL/);
  expect((await vsmmu(plain, ['doctor'])).stdout).toMatch(/nested translation +: PASS/);
  proves(task, 'vsmmu doctor --probe fails where the SMMU has both stages, and Linux makes no vIOMMU without CANWBS');
});
