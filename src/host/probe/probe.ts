import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { deviceMissing } from '../../diagnostics/devices.js';
import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { EnvironmentError, RefusedError } from '../../diagnostics/errors.js';
import { probeFailed, probeImpossible } from '../../diagnostics/probe.js';
import type { Bdf } from '../../domain/address.js';
import type { PciDevice, Smmu, SmmuFeatures, SmmuRegisters } from '../../generated/topology.js';
import { describeIoError, systemCode } from '../../io/errors.js';
import { Host } from '../host.js';
import { PCI_DEVICES } from '../pci.js';
import { Sysfs } from '../sysfs.js';
import { BoundDevice, type Refusal, RequestError } from './iommufd.js';
import { type Decoded, decodeRegisters } from './registers.js';
import { loadSystemCalls, type SystemCalls } from './system-calls.js';

/** The properties of an SMMU, read through a device behind it: its ID registers, and whether the kernel can nest translation. */
export interface Probe {
  readonly device: Bdf;
  /** The name of the SMMU. */
  readonly smmu: string;
  readonly features: SmmuFeatures;
  readonly registers: SmmuRegisters;
  /** Why the SMMU cannot nest a guest's translation, in words; undefined if it can. */
  readonly notNested?: string;
}

const IOMMU = 'dev/iommu';

/**
 * Reads the ID registers of the SMMUs of these devices, as Linux on this machine returns them, and tests whether nested
 * translation works. This opens each device, which resets it, and closes it again.
 * @param host this machine
 * @param calls by default those of the runtime
 * @param root the folder that contains `dev` and `sys`
 * @throws RefusedError as `probeableDevice`, EnvironmentError `probe-failed` if this machine does not allow it
 */
export async function probeDevices(
  bdfs: readonly Bdf[],
  host: Host,
  calls?: SystemCalls,
  root = '/',
): Promise<readonly Probe[]> {
  const devices = bdfs.map((bdf) => probeableDevice(bdf, host));
  const available = calls ?? (await loadSystemCalls());
  return devices.map(([device, smmu]) => probeDevice(device, smmu, available, root));
}

/**
 * Returns a device through which its SMMU can be probed, and the name of the SMMU.
 * @throws RefusedError `device-missing` or `probe-impossible`
 */
export function probeableDevice(bdf: Bdf, host: Host): readonly [device: PciDevice, smmu: string] {
  const found = host.device(bdf);
  if (!found) throw new RefusedError(deviceMissing({ device: bdf }));
  if (found.bridge) throw new RefusedError(probeImpossible.bridge({ device: bdf }));
  if (found.smmu === null) throw new RefusedError(probeImpossible.withoutSmmu({ device: bdf }));
  if (!found.vfio) throw new RefusedError(probeImpossible.unbound({ device: bdf, driver: found.driver }));
  return [found, found.smmu];
}

function probeDevice(device: PciDevice, smmu: string, calls: SystemCalls, root: string): Probe {
  const { bdf } = device;
  const [name] = new Sysfs(join(root, 'sys')).list(`${PCI_DEVICES}/${bdf}/vfio-dev`) ?? [];
  if (name === undefined) throw new EnvironmentError(probeFailed.noDeviceFile({ device: bdf }));
  // The device is closed first, then /dev/iommu: the kernel then destroys the objects that were created in it.
  using iommu = open(join(root, IOMMU), probeFailed.noIommufd());
  using file = open(join(root, 'dev/vfio/devices', name), probeFailed.noDeviceFile({ device: bdf }));
  try {
    const bound = new BoundDevice(calls, file.fd, iommu.fd);
    const registers = bound.readRegisters();
    if (!registers) throw new EnvironmentError(probeFailed.noRegisters({ device: bdf }));
    const cmdqv = bound.hasCommandQueues();
    return describeProbe(bdf, smmu, decodeRegisters(registers), cmdqv, bound.tryNesting());
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw new EnvironmentError(refusedRequest(device, error));
  }
}

/** Opens a device file for reading and writing. */
function open(path: string, absent: Diagnostic): { readonly fd: number } & Disposable {
  try {
    const fd = openSync(path, 'r+');
    return { fd, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'ENOENT') throw new EnvironmentError(absent);
    if (code === 'EACCES' || code === 'EPERM') throw new EnvironmentError(probeFailed.denied({ path }));
    throw new EnvironmentError(probeFailed.system({ path, error: describeIoError(error) }));
  }
}

/** Describes a refused request that ends a probe. */
export function refusedRequest({ bdf: device, group }: PciDevice, { request, error }: Refusal): Diagnostic {
  if (request === 'VFIO_DEVICE_BIND_IOMMUFD') {
    // Linux 7.2: EINVAL if another program opened the device by its own file, EBUSY if by its group, and EPERM if another
    // device of the group belongs to a host driver or to another open /dev/iommu.
    if (error === 'EBUSY' || error === 'EINVAL') return probeFailed.busy({ device });
    if (error === 'EPERM') return probeFailed.groupInUse({ device, group });
  }
  if (request === 'IOMMU_GET_HW_INFO' && error === 'ENOTTY') return probeFailed.noRegisters({ device });
  return probeFailed.request({ device, request, error });
}

/** Builds the result of a probe from the kernel's answers. */
export function describeProbe(
  device: Bdf,
  smmu: string,
  { features, registers, ...decoded }: Decoded,
  cmdqv: boolean,
  refusal: Refusal | undefined,
): Probe {
  return {
    device,
    smmu,
    features: { nesting: refusal === undefined, cmdqv, ...features },
    registers,
    ...(refusal && { notNested: whyNotNested(refusal, decoded) }),
  };
}

/**
 * Explains why the kernel refused a nested page table or a vIOMMU (Linux 7.2, `arm_smmu_domain_alloc_paging_flags` and
 * `arm_smmu_get_viommu_size`).
 */
function whyNotNested(
  { request, error }: Refusal,
  { bothStages, forcedWriteBack }: Pick<Decoded, 'bothStages' | 'forcedWriteBack'>,
): string {
  if (error === 'ENOTTY') return `the kernel has no ${request}, which Linux 6.13 added`;
  const refused = `${request} fails with ${error}`;
  if (!bothStages) return `it has one stage of translation (${refused})`;
  if (forcedWriteBack || request === 'IOMMU_HWPT_ALLOC') return refused;
  return `it has no S2FWB, and firmware does not mark its root complex as CANWBS (${refused})`;
}

/** Returns a host with the results of probes. They replace the features that the kernel log shows. */
export function withProbes(host: Host, probes: readonly Probe[]): Host {
  const found = new Map(probes.map((probe) => [probe.smmu, probe]));
  const smmus = host.smmus.map((smmu): Smmu => {
    const { features, registers } = found.get(smmu.name) ?? {};
    return registers ? { ...smmu, features: { ...smmu.features, ...features }, registers } : smmu;
  });
  return new Host({ ...host.topology, smmus });
}
