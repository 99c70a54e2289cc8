/** The library: what the command line is made of, without files and processes. */
export { type CheckOptions, check } from './check/check.js';
export { CODES, type CodeInfo } from './codes.js';
export { type Converted, type ConvertSettings, convert } from './convert.js';
export {
  DiagnosedError,
  type Diagnostic,
  type DiagnosticCode,
  EnvironmentError,
  InputError,
  type Location,
  RefusedError,
  type Severity,
} from './diagnostics.js';
export type { Bdf, BusNumber, ControllerIndex, GuestAddress } from './domain/address.js';
export { type Domain, parseDomain } from './domain/domain.js';
export type { CellId, HostNode } from './domain/numa.js';
export type { KiB } from './domain/size.js';
export { rewrite } from './edit/rewrite.js';
export { type Reverted, type RevertOptions, revert } from './edit/undo/revert.js';
export type { Plan } from './generated/plan.js';
export type { Topology } from './generated/topology.js';
export { drawPlan, type PictureDetails, planDot } from './guest/picture.js';
export { type GuestView, predictGuest } from './guest/predict.js';
export { drawTopology, topologyDot } from './guest/topology-picture.js';
export { Host } from './host/host.js';
export { KERNEL_LOG, type KernelLog } from './host/kernel-log.js';
export { scanHost } from './host/scan.js';
export { readTopology } from './host/snapshot.js';
export { type Attachment, planAttachment } from './plan/attach.js';
export type { ManagedDevices } from './plan/orphaned.js';
export { type Planned, type PlanOptions, plan } from './plan/plan.js';
export { DEFAULT_POLICY, type Policy, readPolicy } from './plan/policy.js';
export { type LibvirtAbility, type QemuAbility, type Target, UPSTREAM } from './plan/target.js';
export { type BeyondHost, valuesBeyondHost } from './plan/vsmmu.js';
