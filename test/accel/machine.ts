/** The emulated Arm machine of the host: QEMU's arguments, and the files that QEMU and Linux need. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type HostDescription, parseDescription } from '../lab/description.js';
import { type HostMachine, hostMachine, type MachineKind } from '../lab/host-machine.js';

/** `flat`: SMMUs with one stage of translation, QEMU's default, so that Linux finds no nested translation. */
export type Smmus = 'nested' | 'flat';

const description = fileURLToPath(new URL('./host.json', import.meta.url));

export function describedHost(): HostDescription {
  return parseDescription(readFileSync(description, 'utf8'), description);
}

/** The names of the described NVMe drives, which are their file names and serial numbers. */
export function drives(machine: HostMachine): string[] {
  return machine.arguments.flatMap((text) => /^nvme,serial=([^,]+)/.exec(text)?.[1] ?? []);
}

/** Returns the machine of the description. Linux runs at EL2, because it needs KVM. */
export function accelMachine(smmus: Smmus): HostMachine {
  const kind: MachineKind = {
    machine: ',virtualization=on,its=on',
    cpu: 'neoverse-n1',
    smmu: smmus === 'nested' ? ',stage=nested' : '',
    nvme: (id) => `,drive=${id}`,
  };
  return hostMachine(describedHost(), kind);
}

/** The path in the jail of the host's folder. */
export const folderInJail = '/mnt';

/** Size of an NVMe drive. */
export const driveMiB = 64;

/** Returns the arguments of every boot: firmware and kernel, and an initramfs by its name in the folder. */
export function bootArguments(machine: HostMachine, initrd: string, parameters: string): string[] {
  const disks = drives(machine).flatMap((name) => [
    '-drive',
    `if=none,id=${name},format=raw,file=${folderInJail}/${name}.raw`,
  ]);
  return [
    ...machine.arguments,
    ...disks,
    ...['-accel', 'tcg,thread=multi', '-nodefaults', '-no-reboot', '-display', 'none', '-monitor', 'none'],
    ...['-bios', '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd', '-kernel', `${folderInJail}/Image`],
    ...['-initrd', `${folderInJail}/${initrd}`, '-append', `console=ttyAMA0 quiet panic=-1 ${parameters}`],
  ];
}

/** Returns the other arguments of a host: its disk, whose changes are discarded, its share, its console and the agent's port. */
export const hostDevices: readonly string[] = [
  '-drive',
  `if=none,id=disk,format=raw,snapshot=on,file=${folderInJail}/disk`,
  '-device',
  'virtio-blk-pci,bus=pcie.0,drive=disk',
  '-fsdev',
  `local,id=share,path=${folderInJail}/share,security_model=none,readonly=on`,
  '-device',
  'virtio-9p-pci,bus=pcie.0,fsdev=share,mount_tag=share',
  '-chardev',
  `socket,id=agent,path=${folderInJail}/agent.sock,server=on,wait=off`,
  '-device',
  'virtio-serial-pci,bus=pcie.0',
  '-device',
  'virtserialport,chardev=agent,name=agent',
  '-chardev',
  `socket,id=console,path=${folderInJail}/console.sock,server=on,wait=off,logfile=${folderInJail}/console.log`,
  '-serial',
  'chardev:console',
  '-daemonize',
];
