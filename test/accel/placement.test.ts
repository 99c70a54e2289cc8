import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GuestView } from '../../src/guest/predict.js';
import { devices } from './devices.js';
import { addressOf, consoleLog, hostdevXml, interfaceXml } from './domains.js';
import type { AccelGuest } from './guest.js';
import type { AccelHost } from './host.js';
import { proves } from './proven.js';
import {
  accelerated,
  define,
  driveOf,
  expectPredictedHardware,
  hostIdentities,
  nonPassingChecks,
  openHost,
  place,
  vsmmu,
} from './stage.js';

let host: AccelHost;
let identities: Map<string, string>;
beforeAll(async () => {
  host = await openHost();
  identities = await hostIdentities(host);
});
afterAll(async () => await host.disconnect());

const { first, second, data, card, switchDrive, virtualFunction, twins } = devices;

describe('a guest with accelerated vSMMUs', () => {
  it('has the hardware of the plan, and reads and writes its devices', async ({ task }) => {
    const hostdevs = [first, second, virtualFunction, data];
    const drive = await driveOf(host, first);
    await host.script(`echo written-by-the-host | dd of=/dev/${drive} conv=fsync`);
    const { diagnostics, prediction, rewritten, guest } = await place(host, { name: 'main', hostdevs });
    try {
      expect((await vsmmu(host, ['check', '-'], rewritten)).code, 'check finds no error').toBe(0);
      await guest.start();
      await guest.ready();
      await expectPredictedHardware(guest, prediction, identities);
      proves(task, 'four devices of three SMMUs, two of them behind one vSMMU: the guest sees what vsmmu plan says');
      const serial = `for n in /dev/nvme*n1; do n=\${n##*/}; grep -q '^first' /sys/block/$n/device/serial && echo $n; done; true`;
      const name = (await guest.run(serial)).trim();
      expect(await guest.run(`dd if=/dev/${name} bs=512 count=1 2>/dev/null`)).toContain('written-by-the-host');
      await guest.run(`echo written-by-the-guest | dd of=/dev/${name} bs=1M seek=1 conv=fsync`);
      expect(await accelerated(guest)).toEqual({ viommus: 3, translating: 4 });
      proves(
        task,
        "QEMU's trace: a vIOMMU for each of three expander buses, and a translating stream table entry for each of four devices",
      );
      await expectVerified(rewritten, guest, prediction);
      proves(task, 'vsmmu verify passes that guest whole, which it asks through its guest agent');
      proves(
        task,
        'vsmmu verify of a definition edited while it runs, of an SMMU that moved, and of a driver unbound in the guest: each changes only its own line',
      );
      const save = await host.run(['virsh', '--quiet', 'save', 'main', '/tmp/main.save']);
      expect(save.code, 'it cannot be saved').not.toBe(0);
      expect(save.stderr).toContain('Migration not supported with SMMUv3 accelerator mode enabled');
      expect(await guest.run('echo still here')).toContain('still here');
      expect(diagnostics.map(({ code }) => code)).toContain('acceleration-cost');
      proves(
        task,
        'virsh save of that guest: QEMU refuses it, and the guest continues; vsmmu plan reports it beforehand: acceleration-cost',
      );
    } finally {
      await guest.remove();
    }
    const back = await host.script(
      `dd if=/dev/$(basename /sys/bus/pci/devices/${first}/nvme/nvme*/nvme*n1) bs=512 skip=2048 count=1 status=none`,
    );
    expect(back).toContain('written-by-the-guest');
    proves(
      task,
      'an NVMe drive behind a vSMMU: the guest reads what the host wrote, and the host what the guest wrote',
    );
  });

  it('can have two vSMMUs for one SMMU', async ({ task }) => {
    const options = ['--grouping', 'device'];
    const { prediction, guest } = await place(host, { name: 'apart', hostdevs: [first, second] }, options);
    try {
      await guest.start();
      await guest.ready();
      await expectPredictedHardware(guest, prediction, identities);
      expect(await accelerated(guest)).toEqual({ viommus: 2, translating: 2 });
      proves(task, '--grouping device: two devices of one SMMU, each behind a vSMMU of its own');
    } finally {
      await guest.remove();
    }
  });

  it('keeps devices of a shared IOMMU group on pcie.0, and has a NIC configured by libvirt behind a vSMMU', async ({
    task,
  }) => {
    // libvirt sets the MAC address of a VF through its card, which must be up.
    await host.script(`ip link set "$(ls /sys/bus/pci/devices/${card}/net)" up`);
    const mac = '52:54:00:00:51:10';
    const vf = `\n${interfaceXml(virtualFunction, mac)}`;
    const { prediction, guest } = await place(host, { name: 'mates', hostdevs: [...twins, data], devices: vf });
    try {
      await guest.start();
      await guest.ready();
      await expectPredictedHardware(guest, prediction, identities);
      expect(await guest.run('cat /sys/class/net/*/address')).toContain(mac);
      expect(await accelerated(guest)).toEqual({ viommus: 2, translating: 2 });
      proves(task, 'two functions of one IOMMU group stay on pcie.0 and work there, beside a device behind its vSMMU');
      proves(
        task,
        "a VF as <interface type='hostdev'>: behind its vSMMU, its driver bound, with the MAC address that libvirt gave it",
      );
    } finally {
      await guest.remove();
    }
  });

  it('accepts another device of the same SMMU while it runs, and releases it', async ({ task }) => {
    const { guest } = await place(host, { name: 'plug', hostdevs: [first] }, ['--spare-ports', '1']);
    try {
      await guest.start();
      await guest.ready();
      const running = await host.output(['virsh', '--quiet', 'dumpxml', 'plug']);
      const device = await vsmmu(host, ['attach', '--quiet', '-', second], running);
      expect(device.code, device.stderr).toBe(0);
      await host.put('/tmp/device.xml', device.stdout);
      await host.output(['virsh', '--quiet', 'attach-device', 'plug', '/tmp/device.xml', '--live']);
      await guest.run(
        `for i in $(seq 60); do grep -q '^second' /sys/class/nvme/*/serial && exit 0; sleep 0.5; done; exit 1`,
      );
      const drive = `$(basename $(dirname $(grep -l '^second' /sys/class/nvme/*/serial)))n1`;
      await guest.run(`sleep 1; dd if=/dev/${drive} of=/dev/null bs=1M count=4`);
      expect(await accelerated(guest)).toEqual({ viommus: 1, translating: 2 });
      expect(await nonPassingChecks(host, 'plug')).toEqual({
        'Domain: that the next start changes nothing': ['next-start-differs'],
      });
      proves(
        task,
        'vsmmu attach and virsh attach-device, live: the drive on the spare port is behind the vSMMU and can be read',
      );
      await host.output(['virsh', '--quiet', 'detach-device', 'plug', '/tmp/device.xml', '--live']);
      await guest.run(
        `for i in $(seq 60); do grep -q '^second' /sys/class/nvme/*/serial || exit 0; sleep 0.5; done; exit 1`,
      );
      await host.script(
        `for i in $(seq 60); do [ -e /sys/bus/pci/drivers/nvme/${second} ] && exit 0; sleep 0.5; done; exit 1`,
      );
      proves(task, "virsh detach-device, live: the drive is the host's again");
      await host.put('/tmp/device.xml', hostdevXml(first));
      await host.output(['virsh', '--quiet', 'detach-device', 'plug', '/tmp/device.xml', '--live']);
      await guest.run(
        `for i in $(seq 60); do grep -q '^first' /sys/class/nvme/*/serial || exit 0; sleep 0.5; done; exit 1`,
      );
      // libvirt removes the device from the running definition a moment after the guest has released it.
      await host.script(
        `for i in $(seq 60); do virsh --quiet dumpxml plug | grep -q '<hostdev' || exit 0; sleep 0.5; done; exit 1`,
      );
      const detached = { 'Domain: for devices detached since its start': ['device-unplugged'] };
      expect(await nonPassingChecks(host, 'plug')).toEqual(detached);
      proves(task, 'vsmmu verify warns of a device that was detached since the start, and of nothing else');
    } finally {
      await guest.remove();
    }
  });

  it('cannot use its devices with an identity-mapped IOMMU domain', async ({ task }) => {
    const { rewritten, guest } = await place(host, { name: 'through', hostdevs: [first] });
    try {
      await define(host, rewritten.replace('quiet panic=-1', 'quiet panic=-1 iommu.passthrough=1'));
      await guest.start();
      await guest.ready();
      expect(await nonPassingChecks(host, 'through', ['--monitor'])).toEqual({
        "Guest: that it translates each device's DMA": ['guest-passthrough'],
      });
      proves(task, 'iommu.passthrough=1 in the guest: vsmmu verify fails at that line and at no other');
    } finally {
      await guest.remove();
    }
  });

  it('can use neither device if devices of two SMMUs are behind one vSMMU', async ({ task }) => {
    const { rewritten, guest } = await place(host, { name: 'wrong', hostdevs: [first, data] }, ['--spare-ports', '1']);
    try {
      const ports = [...rewritten.matchAll(/ua-vsmmu-port-(\d+)/g)].map((match) => Number(match[1]));
      const [right = 0, spare = 0, other = 0] = ports;
      expect(right).toBeLessThan(spare);
      const hex = (index: number): string => `bus='0x${index.toString(16).padStart(2, '0')}'`;
      // Puts both devices behind the first expander bus, and removes the second vSMMU.
      const wrong = impatient(rewritten)
        .replace(hex(other), hex(spare))
        .replace(/<iommu model='smmuv3'>\s*<driver[^>]*\/>\s*<\/iommu>(?![\s\S]*<iommu)/, '');
      const { code, stderr } = await vsmmu(host, ['check', '-'], wrong);
      expect(code, stderr).toBe(1);
      expect(stderr).toContain('error: device-behind-other-smmu: ');
      await define(host, wrong);
      await guest.start();
      for (const drive of ['nvme0', 'nvme1']) await expectDead(drive, 'wrong');
      await guest.ready();
      expect(await nonPassingChecks(host, 'wrong')).toEqual({
        'Domain: that each device is behind its vSMMU': ['device-behind-other-smmu'],
        'QEMU: the log of this start': ['qemu-attach-failed'],
        'Host: the kernel log since QEMU started': ['host-smmu-event'],
        'Guest: that each device has a driver': ['guest-driver-missing'],
        'Guest: the kernel log': ['guest-log-error'],
      });
      expect(await guest.readQemuLog()).toContain('Failed to install');
      proves(
        task,
        'devices of two SMMUs behind one vSMMU: libvirt defines it, QEMU starts it, the guest has neither device; vsmmu check reports it beforehand: device-behind-other-smmu',
      );
    } finally {
      await guest.remove();
    }
  });

  it('keeps a device on pcie.0, where it works, if its IOMMU group contains the PCI bridge above it', async ({
    task,
  }) => {
    const placed = await place(host, { name: 'shared', hostdevs: [switchDrive] });
    const { diagnostics, stored, rewritten, prediction, guest } = placed;
    try {
      expect(diagnostics.map(({ code }) => code)).toEqual(['group-shared']);
      expect(rewritten).toBe(stored);
      await guest.start();
      await guest.ready();
      await expectPredictedHardware(guest, prediction, identities);
      proves(task, 'a drive that shares its IOMMU group with the port above it stays on pcie.0, where it works');
    } finally {
      await guest.remove();
    }
  });

  it('cannot use a device behind a vSMMU if the IOMMU group of the device contains the PCI bridge above it', async ({
    task,
  }) => {
    const { rewritten, guest } = await place(host, { name: 'shared', hostdevs: [first] });
    try {
      const wrong = impatient(rewritten).replace(addressOf(first), addressOf(switchDrive));
      const { code, stderr } = await vsmmu(host, ['check', '-'], wrong);
      expect(code, stderr).toBe(1);
      expect(stderr).toContain('error: group-behind-vsmmu: ');
      await define(host, wrong);
      await guest.start();
      await expectDead('nvme0', 'shared');
      await guest.ready();
      expect(await nonPassingChecks(host, 'shared')).toEqual({
        "Domain: that the host's SMMUs are the same": ['smmu-moved'],
        'Domain: that each device is behind its vSMMU': ['group-behind-vsmmu'],
        'QEMU: the log of this start': ['qemu-attach-failed'],
        'Host: the kernel log since QEMU started': ['host-smmu-event'],
        'Guest: that each device has a driver': ['guest-driver-missing'],
        'Guest: the kernel log': ['guest-log-error'],
      });
      expect(await guest.readQemuLog()).toMatch(/error attach .*: No such file or directory/);
      proves(
        task,
        'the same drive behind a vSMMU: QEMU starts it, the guest does not have it; vsmmu check reports it beforehand: group-behind-vsmmu',
      );
    } finally {
      await guest.remove();
    }
  });
});

/** Expects that a valid guest passes all checks, and that each single fault is found; corrects each fault. */
async function expectVerified(xml: string, guest: AccelGuest, { functions }: GuestView): Promise<void> {
  expect(await nonPassingChecks(host, guest.name)).toEqual({});

  await define(host, xml.replace(/ *<hostdev(?![\s\S]*<hostdev)[\s\S]*?<\/hostdev>\n/, ''));
  const edited = { 'Domain: that the next start changes nothing': ['next-start-differs'] };
  expect(await nonPassingChecks(host, guest.name)).toEqual(edited);
  await define(host, xml);

  const topology = await vsmmu(host, ['topology', '--json']);
  const { smmu } = JSON.parse(topology.stdout).topology.devices.find(({ bdf }: { bdf: string }) => bdf === data);
  await host.put('/tmp/moved.json', topology.stdout.replaceAll(smmu, 'smmu3.0x00000000ff000000'));
  const moved = { "Domain: that the host's SMMUs are the same": ['smmu-moved'] };
  expect(await nonPassingChecks(host, guest.name, ['--topology', '/tmp/moved.json'])).toEqual(moved);

  const address = functions.find((each) => each.host === second)?.address;
  await guest.run(`echo ${address} >/sys/bus/pci/drivers/nvme/unbind`);
  const unbound = { 'Guest: that each device has a driver': ['guest-driver-missing'] };
  expect(await nonPassingChecks(host, guest.name)).toEqual(unbound);
  await guest.run(`echo ${address} >/sys/bus/pci/drivers/nvme/bind`);
}

/** A domain whose kernel gives up on a drive after 5 s instead of 60. */
function impatient(xml: string): string {
  return xml.replace('quiet panic=-1', 'quiet panic=-1 nvme_core.admin_timeout=5');
}

/** Expects that the driver of a guest finds a drive that does not answer. */
async function expectDead(drive: string, guest: string): Promise<void> {
  const words = `${drive}: Identify Controller failed`;
  const { text } = await host.ask('waitFor', { file: consoleLog(guest), words, limitSeconds: 120 });
  expect(text).toContain(words);
}
