import { describe, expect, it } from 'vitest';
import { BoundDevice } from '../../../src/host/probe/iommufd.js';
import type { SystemCalls } from '../../../src/host/probe/system-calls.js';
import { EMULATED_REGISTERS } from './emulated-smmu.js';

/** File descriptors of a device and of /dev/iommu. */
const [DEVICE, IOMMU] = [7, 9];

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
const REGISTERS = words([...EMULATED_REGISTERS.idr, EMULATED_REGISTERS.iidr, EMULATED_REGISTERS.aidr]);

/**
 * What the kernel writes into each structure, by the index of the word, as struct vfio_device_bind_iommufd and
 * iommu_*_alloc of Linux 7.2 have it: object 3 is the device, 4 the address space, 5 the page table.
 */
const WRITTEN: Readonly<Record<string, readonly [index: number, value: number]>> = {
  VFIO_DEVICE_BIND_IOMMUFD: [3, 3],
  IOMMU_IOAS_ALLOC: [2, 4],
  IOMMU_HWPT_ALLOC: [4, 5],
  IOMMU_GET_HW_INFO: [6, 2],
  IOMMU_VIOMMU_ALLOC: [5, 6],
};

/** Answers requests as Linux does, except those that fail with the given error numbers, and notes each request. */
function kernel(errors: Readonly<Record<string, number>> = {}, type = 2) {
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

describe('a device that is bound to iommufd', () => {
  it('shows the ID registers of its SMMU', () => {
    const { calls, log } = kernel();
    const registers = new BoundDevice(calls, DEVICE, IOMMU).readRegisters();
    expect(registers).toEqual({ idr: REGISTERS.slice(0, 6), iidr: REGISTERS[6], aidr: REGISTERS[7] });
    expect(log).toEqual([
      '7 VFIO_DEVICE_BIND_IOMMUFD 16 0 9 0',
      `9 IOMMU_GET_HW_INFO 40 0 3 40 ${0xfedc_0010} 0 0 0 0 0`,
    ]);
  });

  it('shows no registers if its IOMMU is not an SMMUv3', () => {
    expect(new BoundDevice(kernel({}, 1).calls, DEVICE, IOMMU).readRegisters()).toBeUndefined();
  });

  it('shows whether the SMMU has command queues for guests', () => {
    const { calls, log } = kernel();
    expect(new BoundDevice(calls, DEVICE, IOMMU).hasCommandQueues()).toBe(true);
    // The flag for a requested type, and that of Tegra241 CMDQV.
    expect(log.at(-1)).toBe(`9 IOMMU_GET_HW_INFO 40 1 3 8 ${0xfedc_0010} 0 3 0 0 0`);
    const refusing = kernel({ IOMMU_GET_HW_INFO: 95 });
    expect(new BoundDevice(refusing.calls, DEVICE, IOMMU).hasCommandQueues()).toBe(false);
  });

  it('can nest translation if the kernel makes a page table for it and a vIOMMU', () => {
    const { calls, log } = kernel();
    expect(new BoundDevice(calls, DEVICE, IOMMU).tryNesting()).toBeUndefined();
    expect(log.slice(1)).toEqual([
      '9 IOMMU_IOAS_ALLOC 12 0 0',
      '9 IOMMU_HWPT_ALLOC 48 1 3 4 0 0 0 0 0 0 0 0',
      '9 IOMMU_VIOMMU_ALLOC 40 0 1 3 5 0 0 0 0 0',
    ]);
  });

  it.each([
    // libuv's name for EOPNOTSUPP.
    ['IOMMU_HWPT_ALLOC', 95, 'ENOTSUP'],
    ['IOMMU_VIOMMU_ALLOC', 25, 'ENOTTY'],
    ['IOMMU_VIOMMU_ALLOC', 30000, 'error 30000'],
  ])('cannot nest translation if %s fails with %d', (request, errno, error) => {
    const { calls, log } = kernel({ [request]: errno });
    expect(new BoundDevice(calls, DEVICE, IOMMU).tryNesting()).toEqual({ request, error });
    expect(log.at(-1)).toContain(request);
  });

  it.each<[request: string, use: (bound: BoundDevice) => unknown]>([
    ['VFIO_DEVICE_BIND_IOMMUFD', () => undefined],
    ['IOMMU_GET_HW_INFO', (bound) => bound.readRegisters()],
    ['IOMMU_IOAS_ALLOC', (bound) => bound.tryNesting()],
  ])('ends the probe if %s fails', (request, use) => {
    const { calls } = kernel({ [request]: 16 });
    expect(() => use(new BoundDevice(calls, DEVICE, IOMMU))).toThrow(
      expect.objectContaining({ request, error: 'EBUSY', message: `${request}: EBUSY` }),
    );
  });
});
