/**
 * Plugs devices into a running guest that keeps the firmware's PCI bridge windows, as with an accelerated vSMMU:
 * QEMU's ACPI tables request that (function 5 of a host bridge's _DSM returns 0; QEMU 11.1), which without KVM needs a
 * patched table.
 */
import { moduleEntries } from './capture.js';
import { packCpio } from './cpio.js';
import { bootArguments, bootConsole, type GuestView, parseView, prepareInitrd, refusal } from './guest.js';
import type { Lab } from './lab.js';
import { LabError } from './process.js';

const limitSeconds = 240;

/**
 * Boots a guest, plugs in a device (an argument of QEMU's `device_add`), and returns what the guest sees then. Throws LabError
 * like `bootGuest`.
 */
export async function plugIntoGuest(lab: Lab, machine: readonly string[], device: string): Promise<GuestView> {
  const { dsdt } = parseView(await bootConsole(lab, machine, limitSeconds, 'dsdt'));
  if (dsdt === undefined) throw new LabError('the guest has no DSDT');
  const folder = (await lab.jail.output(['mktemp', '-d', '-p', '/run'])).trim();
  const initrd = `${folder}/initrd`;
  await lab.jail.put(`${folder}/tables`, await tableArchive(keepingFirmwareConfiguration(dsdt)));
  const cat = 'cat "$0"/tables "$1" >"$0"/initrd';
  await lab.jail.output(['sh', '-c', cat, folder, await prepareInitrd(lab)]);

  const console = `${folder}/console`;
  const own: Readonly<Record<string, string>> = { '-serial': `file:${console}`, '-monitor': 'stdio' };
  const words = bootArguments(initrd, 'plug');
  const argv = words.map((word, i) => own[words[i - 1] ?? ''] ?? word);
  // The shell writes to QEMU's monitor once the guest reports that it is ready.
  const script = [
    '{ until grep -q ready "$0"/console 2>/dev/null; do sleep 0.2; done; echo "device_add $1"; }',
    '{ shift; exec "$@"; }',
  ].join(' | ');
  const program = ['sh', '-c', script, folder, device, 'qemu-system-aarch64', ...machine, ...argv];
  const { code, stdout, stderr } = await lab.run(program, { limitSeconds });
  if (code !== 0) throw new LabError(`QEMU ended with ${code}: ${refusal(stderr)}`);
  const [complaint] = /Error: .*/.exec(stdout) ?? [];
  if (complaint !== undefined) throw new LabError(complaint);
  return parseView(await lab.jail.output(['cat', console]));
}

/** AML of the result of QEMU's _DSM for an unknown function: `Return (Buffer (One) { 0x00 })`. */
const UNKNOWN = Buffer.from([0xa4, 0x11, 0x03, 0x01, 0x00]);

/** `Return (Zero)`, padded to the same length. */
const ZERO = Buffer.from([0xa4, 0x00, 0xa3, 0xa3, 0xa3]);

/** Offsets in the header of a table (ACPI 6.5, 5.2.6). */
const CHECKSUM = 9;
const OEM_REVISION = 24;

/** A DSDT whose host bridges request that the firmware's configuration is kept. */
function keepingFirmwareConfiguration(dsdt: Buffer): Buffer {
  const table = Buffer.from(dsdt);
  for (let at = table.indexOf(UNKNOWN); at >= 0; at = table.indexOf(UNKNOWN, at)) ZERO.copy(table, at);
  // Linux accepts only a newer table.
  table.writeUInt32LE(table.readUInt32LE(OEM_REVISION) + 1, OEM_REVISION);
  table[CHECKSUM] = 0;
  table[CHECKSUM] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return table;
}

/** An archive to put before an initramfs: a table that replaces the firmware's (acpi/initrd_table_override), and drivers. */
async function tableArchive(dsdt: Buffer): Promise<Buffer> {
  const folders = ['kernel', 'kernel/firmware', 'kernel/firmware/acpi'];
  return packCpio([
    ...folders.map((path) => ({ path, kind: 'folder' }) as const),
    { path: 'kernel/firmware/acpi/dsdt.aml', kind: 'file', data: dsdt, executable: false },
    ...(await moduleEntries()),
  ]);
}
