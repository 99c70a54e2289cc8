/**
 * The requests of iommufd and VFIO that a probe makes, in the layout of Linux 7.2 (include/uapi/linux/iommufd.h and vfio.h;
 * the same on x86_64 and aarch64). Every structure begins with its size, and every field has 32 bits: a 64-bit address takes
 * two. An older kernel accepts a structure that is longer than its own if the rest is zero.
 */
import { getSystemErrorMap } from 'node:util';
import type { IdRegisters } from './registers.js';
import type { SystemCalls } from './system-calls.js';

/** Returns the code of a request, which both interfaces number alike: `_IO(';', number)`. */
const request = (number: number): number => (0x3b << 8) | number;

const VFIO_DEVICE_BIND_IOMMUFD = request(100 + 18);
const IOMMU_IOAS_ALLOC = request(0x81);
const IOMMU_HWPT_ALLOC = request(0x89);
const IOMMU_GET_HW_INFO = request(0x8a);
const IOMMU_VIOMMU_ALLOC = request(0x90);

const HWPT_ALLOC_NEST_PARENT = 1;
const HW_INFO_FLAG_INPUT_TYPE = 1;
const HW_INFO_TYPE_ARM_SMMUV3 = 2;
const HW_INFO_TYPE_TEGRA241_CMDQV = 3;
const VIOMMU_TYPE_ARM_SMMUV3 = 1;

/** A request that the kernel refused. */
export interface Refusal {
  /** The name of the request, as in the kernel's documentation. */
  readonly request: string;
  /** The name of the error, as errno(3) lists them: `EBUSY`. */
  readonly error: string;
}

/** A refused request after which the probe cannot continue. */
export class RequestError extends Error implements Refusal {
  readonly request: string;
  readonly error: string;

  constructor(request: string, errno: number) {
    const error = nameOfError(errno);
    super(`${request}: ${error}`);
    this.request = request;
    this.error = error;
  }
}

function nameOfError(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `error ${errno}`;
}

/** A device that is bound to an open `/dev/iommu`. Closing both files destroys all objects made here. */
export class BoundDevice {
  readonly #calls: SystemCalls;
  readonly #iommu: number;
  readonly #id: number;

  /**
   * Binds a device, which resets it.
   * @param device a file of `/dev/vfio/devices`
   * @param iommu `/dev/iommu`
   * @throws RequestError
   */
  constructor(calls: SystemCalls, device: number, iommu: number) {
    this.#calls = calls;
    this.#iommu = iommu;
    const bind = structure(0, iommu, 0);
    expectSuccess('VFIO_DEVICE_BIND_IOMMUFD', calls.ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, bind));
    this.#id = bind[3] ?? 0;
  }

  /**
   * Reads the ID registers of the device's SMMU; undefined if the kernel does not show them.
   * @throws RequestError
   */
  readRegisters(): IdRegisters | undefined {
    // struct iommu_hw_info_arm_smmuv3: flags, reserved, idr[6], iidr, aidr
    const info = new Uint32Array(10);
    const { errno, type } = this.#hardwareInfo(info);
    expectSuccess('IOMMU_GET_HW_INFO', errno);
    if (type !== HW_INFO_TYPE_ARM_SMMUV3) return undefined;
    const [, , ...values] = info;
    return { idr: values.slice(0, 6), iidr: values[6] ?? 0, aidr: values[7] ?? 0 };
  }

  /** Whether the SMMU has command queues for guests (Tegra241 CMDQV). A kernel before Linux 6.17 never has them. */
  hasCommandQueues(): boolean {
    return this.#hardwareInfo(new Uint32Array(2), HW_INFO_TYPE_TEGRA241_CMDQV).errno === 0;
  }

  /**
   * Does what QEMU does for an accelerated vSMMU: allocates a stage-2 page table that guests' tables can be nested in, and a vIOMMU.
   * @returns the refused request; undefined if nesting works
   */
  tryNesting(): Refusal | undefined {
    const space = structure(0, 0);
    expectSuccess('IOMMU_IOAS_ALLOC', this.#calls.ioctl(this.#iommu, IOMMU_IOAS_ALLOC, space));
    const parent = structure(HWPT_ALLOC_NEST_PARENT, this.#id, space[2] ?? 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const parentErrno = this.#calls.ioctl(this.#iommu, IOMMU_HWPT_ALLOC, parent);
    if (parentErrno !== 0) return { request: 'IOMMU_HWPT_ALLOC', error: nameOfError(parentErrno) };
    const viommu = structure(0, VIOMMU_TYPE_ARM_SMMUV3, this.#id, parent[4] ?? 0, 0, 0, 0, 0, 0);
    const errno = this.#calls.ioctl(this.#iommu, IOMMU_VIOMMU_ALLOC, viommu);
    return errno === 0 ? undefined : { request: 'IOMMU_VIOMMU_ALLOC', error: nameOfError(errno) };
  }

  #hardwareInfo(info: Uint32Array, type?: number): { errno: number; type: number } {
    const address = this.#calls.addressOf(info);
    const low = Number(address & 0xffff_ffffn);
    const high = Number(address >> 32n);
    const flags = type === undefined ? 0 : HW_INFO_FLAG_INPUT_TYPE;
    const query = structure(flags, this.#id, info.byteLength, low, high, type ?? 0, 0, 0, 0);
    const errno = this.#calls.ioctl(this.#iommu, IOMMU_GET_HW_INFO, query);
    return { errno, type: query[6] ?? 0 };
  }
}

/** Returns a structure of these fields after its size. */
function structure(...fields: readonly number[]): Uint32Array {
  return Uint32Array.of((fields.length + 1) * Uint32Array.BYTES_PER_ELEMENT, ...fields);
}

function expectSuccess(name: string, errno: number): void {
  if (errno !== 0) throw new RequestError(name, errno);
}
