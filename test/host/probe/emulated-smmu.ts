import type { SmmuRegisters } from '../../../src/generated/topology.js';
import type { SystemCalls } from '../../../src/host/probe/system-calls.js';

/** The ID registers that Linux 7.2 printed for the SMMU that QEMU 11.1 emulates with `stage=nested`. */
export const EMULATED_REGISTERS = {
  granules: [4, 16, 64],
  streamTableLevels: 2,
  streamIdBits: 16,
  endianness: 'little',
  tableFormats: ['aarch64'],
  idr: ['0x0d44101b', '0x02730010', '0x00000000', '0x00001414', '0x00000000', '0x00000074'],
  iidr: '0x00000000',
  aidr: '0x00000001',
} satisfies SmmuRegisters;

/** The requests by the numbers that Linux 7.2 gives them (`_IO(';', n)`). */
const NAMES: Readonly<Record<number, string>> = {
  15222: 'VFIO_DEVICE_BIND_IOMMUFD',
  15233: 'IOMMU_IOAS_ALLOC',
  15241: 'IOMMU_HWPT_ALLOC',
  15242: 'IOMMU_GET_HW_INFO',
  15248: 'IOMMU_VIOMMU_ALLOC',
};

const words = (text: readonly string[]): number[] => text.map((each) => Number.parseInt(each, 16));

/** `struct iommu_hw_info_arm_smmuv3` of the SMMU that QEMU 11.1 emulates, after its two words of flags. */
export const REGISTERS = words([...EMULATED_REGISTERS.idr, EMULATED_REGISTERS.iidr, EMULATED_REGISTERS.aidr]);

/**
 * The words that the kernel writes into each structure, by their index, as in struct vfio_device_bind_iommufd and
 * iommu_*_alloc of Linux 7.2: object 3 is the device, 4 the address space, 5 the page table.
 */
const WRITTEN: Readonly<Record<string, readonly [index: number, value: number]>> = {
  VFIO_DEVICE_BIND_IOMMUFD: [3, 3],
  IOMMU_IOAS_ALLOC: [2, 4],
  IOMMU_HWPT_ALLOC: [4, 5],
  IOMMU_GET_HW_INFO: [6, 2],
  IOMMU_VIOMMU_ALLOC: [5, 6],
};

/** Answers requests as Linux does, except those that fail with the given error numbers, and notes each request. */
export function kernel(errors: Readonly<Record<string, number>> = {}, type = 2) {
  const log: string[] = [];
  const buffers: Uint32Array[] = [];
  const calls: SystemCalls = {
    ioctl: (fd, request, structure) => {
      const name = NAMES[request] ?? `request ${request}`;
      log.push(`${fd} ${name} ${structure.join(' ')}`);
      const errno = errors[name] ?? 0;
      if (errno !== 0) return errno;
      const [index = 0, value = 0] = WRITTEN[name] ?? [];
      structure[index] = name === 'IOMMU_GET_HW_INFO' ? type : value;
      if (name === 'IOMMU_GET_HW_INFO') {
        // The address of a buffer has its number in the upper half.
        const buffer = buffers[structure[5] ?? 0];
        buffer?.set(REGISTERS.slice(0, buffer.length - 2), 2);
      }
      return 0;
    },
    addressOf: (buffer) => (BigInt(buffers.push(buffer) - 1) << 32n) | 0xfedc_0010n,
  };
  return { calls, log };
}
