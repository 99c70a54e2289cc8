/** `vsmmu verify` on running guests, each with a real guest agent. Tests that need acceleration are in test/accel. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { becomeHost, emulator } from './assigned.js';
import { moduleEntries } from './capture.js';
import { agentEntries, guestArchive } from './guest.js';
import { guestFolder } from './guest-files.js';
import { Lab } from './lab.js';
import { Tool } from './tool.js';
import { define, undefine, virsh } from './trial.js';
import { nonPassing } from './verified.js';

/** Two drives of the host, each behind its own SMMU. */
const [first, second] = ['0000:27:00.0', '0000:82:00.0'];
const initrd = '/run/agent.cpio.gz';
const addressOf = (bdf: string): string => {
  const [domain, bus, slot, fn] = bdf.split(/[:.]/);
  return `domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'`;
};

/** A small domain with both drives and a channel for its agent. In the lab, libvirt cannot raise the limit of locked memory. */
function domainXml(name: string, words = ''): string {
  const drives = [first, second].map(
    (bdf) =>
      `<hostdev mode='subsystem' type='pci' managed='no'><source><address ${addressOf(bdf)}/></source></hostdev>`,
  );
  return `<domain type='qemu'><name>${name}</name><uuid>${randomUUID()}</uuid><memory unit='MiB'>384</memory><vcpu>1</vcpu>
<memtune><hard_limit unit='KiB'>8192</hard_limit></memtune>
<os firmware='efi'><type arch='aarch64' machine='virt'>hvm</type>
<firmware><feature enabled='no' name='enrolled-keys'/><feature enabled='no' name='secure-boot'/></firmware>
<kernel>${guestFolder}/vmlinuz</kernel><initrd>${initrd}</initrd><cmdline>console=ttyAMA0 quiet panic=-1 agent ${words}</cmdline></os>
<features><acpi/><gic version='3'/></features><cpu mode='custom' match='exact'><model>cortex-a72</model></cpu>
<devices><emulator>${emulator}</emulator><controller type='usb' model='none'/><memballoon model='none'/>
<serial type='file'><source path='/run/${name}.log'/></serial>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
${drives.join('\n')}</devices></domain>`;
}

let lab: Lab;
let tool: Tool;
const here = ['--connect', 'qemu:///system', '--force-tcg'];
beforeAll(async () => {
  lab = await Lab.start();
  tool = await Tool.install(lab);
  await becomeHost(lab, 'two-smmus', [first, second]);
  await lab.jail.put(initrd, await guestArchive([...(await moduleEntries()), ...(await agentEntries())]));
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Returns a domain as vsmmu converts it. */
async function converted(xml: string, ...options: string[]): Promise<string> {
  const { code, stdout, stderr } = await tool.run(['rewrite', '--force-tcg', ...options, '-'], { input: xml });
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Asks a guest's agent. Returns undefined if the agent does not answer. */
async function ask(name: string, execute: string, args: object = {}): Promise<unknown> {
  const command = JSON.stringify({ execute, arguments: args });
  const { code, stdout } = await lab.virsh(['qemu-agent-command', name, command]);
  return code === 0 ? (JSON.parse(stdout) as { return: unknown }).return : undefined;
}

/** Runs a line of shell in a guest and waits for its end. */
async function runInGuest(name: string, line: string): Promise<void> {
  const { pid } = (await ask(name, 'guest-exec', { path: '/bin/sh', arg: ['-c', line] })) as { pid: number };
  await expect.poll(() => ask(name, 'guest-exec-status', { pid })).toEqual({ exited: true, exitcode: 0 });
}

/** Defines and starts a domain, waits for its agent, runs `body`, and removes the domain. */
async function withGuest(xml: string, body: (name: string) => Promise<void>): Promise<void> {
  const uuid = await define(lab, xml);
  const name = /<name>(.*)<\/name>/.exec(xml)?.[1] ?? '';
  try {
    await virsh(lab, ['start', name]);
    await expect.poll(() => ask(name, 'guest-ping'), { timeout: 240_000, interval: 500 }).toEqual({});
    await body(name);
  } finally {
    await lab.virsh(['destroy', uuid]);
    await undefine(lab, uuid);
  }
}

/** The checks of `vsmmu verify` that do not pass, with their codes. */
async function wrong(name: string, ...options: string[]): Promise<object> {
  return nonPassing(await tool.run(['verify', '--json', ...here, ...options, name]));
}

describe('vsmmu verify', () => {
  it('passes a healthy guest, and reports each later fault in one line', async ({ task }) => {
    const xml = await converted(domainXml('healthy'));
    await withGuest(xml, async (name) => {
      expect(await wrong(name)).toEqual({});

      // The definition, edited while it runs.
      await define(lab, xml.replace(/<hostdev(?![\s\S]*<hostdev)[\s\S]*?<\/hostdev>/, ''));
      expect(await wrong(name)).toEqual({ 'Domain: that the next start changes nothing': ['next-start-differs'] });
      await define(lab, xml);

      // A host whose SMMU is at another address.
      const { stdout: topology } = await tool.run(['topology', '--json']);
      const { devices } = JSON.parse(topology).topology as { devices: { bdf: string; smmu: string; group: number }[] };
      const { smmu = '', group } = devices.find(({ bdf }) => bdf === second) ?? {};
      await lab.jail.put('/tmp/moved.json', topology.replaceAll(smmu, 'smmu3.0x00000000ff000000'));
      const moved = { "Domain: that the host's SMMUs are the same": ['smmu-moved'] };
      expect(await wrong(name, '--topology', '/tmp/moved.json')).toEqual(moved);

      // A host on which the device shares its IOMMU group.
      await lab.jail.put('/tmp/shared.json', topology.replaceAll(/"group": ?16\b/g, `"group": ${group}`));
      const shared = { 'Domain: that each device is behind its vSMMU': ['group-behind-vsmmu'] };
      expect(await wrong(name, '--topology', '/tmp/shared.json')).toEqual(shared);

      // A driver unbound in the guest.
      const plan = await tool.run(['plan', '--json', '--force-tcg', '-'], { input: domainXml(name) });
      const { functions } = JSON.parse(plan.stdout).guest as { functions: { host: string; address: string }[] };
      const address = functions.find(({ host }) => host === second)?.address;
      await runInGuest(name, `echo ${address} >/sys/bus/pci/drivers/nvme/unbind`);
      expect(await wrong(name)).toEqual({ 'Guest: that each device has a driver': ['guest-driver-missing'] });
      await runInGuest(name, `echo ${address} >/sys/bus/pci/drivers/nvme/bind`);

      // A guest that cannot answer.
      await virsh(lab, ['suspend', name]);
      expect(await wrong(name)).toEqual({ 'Guest: its own report': ['guest-report-missing'] });
      await virsh(lab, ['resume', name]);
      expect(await wrong(name)).toEqual({});

      // A device, detached.
      const drive = /<hostdev(?![\s\S]*<hostdev)[\s\S]*?<\/hostdev>/.exec(xml)?.[0];
      await virsh(lab, ['detach-device', name, '/dev/stdin', '--live'], drive);
      const count = async () => (await virsh(lab, ['dumpxml', name])).split('<hostdev ').length - 1;
      await expect.poll(count, { timeout: 60_000, interval: 500 }).toBe(1);
      expect(await wrong(name)).toEqual({ 'Domain: for devices detached since its start': ['device-unplugged'] });
    });
    task.meta.lab = { booted: 1 };
  });

  it('fails for a guest whose kernel does not translate: iommu.passthrough=1', async ({ task }) => {
    await withGuest(await converted(domainXml('through', 'iommu.passthrough=1')), async (name) => {
      expect(await wrong(name)).toEqual({ "Guest: that it translates each device's DMA": ['guest-passthrough'] });
    });
    task.meta.lab = { booted: 1 };
  });

  it('fails for a device behind the vSMMU of another SMMU', async ({ task }) => {
    const xml = await converted(domainXml('beside'), '--spare-ports', '1');
    // The second drive moves to the spare port beside the first, and the vSMMU without devices is removed.
    const [, spare = 0, other = 0] = [...xml.matchAll(/ua-vsmmu-port-(\d+)/g)].map(([, index]) => Number(index));
    const bus = (index: number) => `bus='0x${index.toString(16).padStart(2, '0')}'`;
    const beside = xml
      .replace(bus(other), bus(spare))
      .replace(/<iommu model='smmuv3'>\s*<driver[^>]*\/>\s*<\/iommu>(?![\s\S]*<iommu)/, '');
    await withGuest(beside, async (name) => {
      expect(await wrong(name)).toEqual({
        'Domain: that each device is behind its vSMMU': ['device-behind-other-smmu'],
      });
    });
    task.meta.lab = { booted: 1 };
  });
});
