import { describe, expect, it } from 'vitest';
import { BoundDevice } from '../../../src/host/probe/iommufd.js';
import { kernel, REGISTERS } from './emulated-smmu.js';

/** File descriptors of a device and of /dev/iommu. */
const [DEVICE, IOMMU] = [7, 9];

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
