/**
 * Host devices without hardware: a lab becomes a captured host whose NVMe drives libvirt assigns to domains, and QEMU
 * emulates each drive and each SMMU. Libvirt and vsmmu notice no difference; acceleration is in test/accel.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Lab, restartLibvirtd } from './lab.js';
import { unpackHost } from './tool.js';

/** Path in the lab of the emulator for these domains. */
export const emulator = '/run/emulator/qemu';

/** Makes /sys the captured host's, with these devices bound to vfio-pci, and restarts libvirtd. */
export async function becomeHost(lab: Lab, host: string, drives: readonly string[]): Promise<void> {
  const folder = '/run/host';
  await unpackHost(lab, host, folder);
  const program = await readFile(fileURLToPath(new URL('./guest/emulator', import.meta.url)));
  await lab.jail.output(['mkdir', '/run/emulator']);
  await lab.jail.put(emulator, program);
  await lab.jail.put('/run/emulator/filter', filter());
  await lab.jail.output(['sh', '-euc', setUp, 'sh', folder, ...drives]);
  await restartLibvirtd(lab, ['setpriv', '--seccomp-filter', '/run/emulator/filter']);
}

const setUp = `
chmod 755 /run/emulator/qemu
# The name of the interpreter is the first word of the command line, by which vsmmu recognizes QEMU.
ln -s /bin/bash /run/emulator/qemu-shell
cd "$1/sys"
shift
mkdir -p bus/pci/drivers/vfio-pci devices/system/cpu /dev/vfio/devices
number=0
for device; do
  ln -sfn /sys/bus/pci/drivers/vfio-pci "bus/pci/devices/$device/driver"
  rm -rf "bus/pci/devices/$device/vfio-dev"
  mkdir -p "bus/pci/devices/$device/vfio-dev/vfio$number"
  : >"/dev/vfio/devices/vfio$number"
  : >"/dev/vfio/$(basename "$(readlink "bus/pci/devices/$device/iommu_group")")"
  number=$((number + 1))
done
# vsmmu reads the log of the host's kernel, here this machine's.
mknod /dev/kmsg c 1 11
# libvirt reads the CPUs that it can use.
mount --bind /sys/devices/system/cpu devices/system/cpu
mount --rbind . /sys
`;

/** `ioctl(fd, IOMMU_OPTION)`, with which libvirt sets up /dev/iommu, and its system call number. */
const IOMMU_OPTION = 0x3b87;
const IOCTL = process.arch === 'arm64' ? 29 : 16;

/** A filter of system calls (seccomp(2)) with which that call succeeds and does nothing: /dev/iommu is an empty file. */
function filter(): Buffer {
  const LOAD_WORD = 0x20;
  const IF_EQUAL = 0x15;
  const RETURN = 0x06;
  const ALLOW = 0x7fff0000;
  const SUCCEED = 0x00050000;
  // Operation, jump if equal, jump if not, operand. The number of the call is at 0, its second argument at 24.
  const program: readonly (readonly [number, number, number, number])[] = [
    [LOAD_WORD, 0, 0, 0],
    [IF_EQUAL, 0, 3, IOCTL],
    [LOAD_WORD, 0, 0, 24],
    [IF_EQUAL, 0, 1, IOMMU_OPTION],
    [RETURN, 0, 0, SUCCEED],
    [RETURN, 0, 0, ALLOW],
  ];
  const bytes = Buffer.alloc(8 * program.length);
  for (const [i, [code, equal, other, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * i);
    bytes.writeUInt8(equal, 8 * i + 2);
    bytes.writeUInt8(other, 8 * i + 3);
    bytes.writeUInt32LE(operand, 8 * i + 4);
  }
  return bytes;
}
