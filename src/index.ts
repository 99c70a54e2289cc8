/** The library: the functions behind the command line, without its handling of files and processes. */

export { planAttachment } from './attach.js';
export { type CheckOptions, check } from './check/check.js';
export { type Converted, type ConvertSettings, convert } from './convert.js';
export { CODES, type DiagnosticCode } from './diagnostics/codes.js';
export type { CodeInfo, Diagnostic, Location, Severity } from './diagnostics/diagnostic.js';
export { DiagnosedError, EnvironmentError, InputError, RefusedError } from './diagnostics/errors.js';
export type { Bdf, BusNumber, ControllerIndex, GuestAddress } from './domain/address.js';
export { type Domain, parseDomain } from './domain/domain.js';
export type { CellId, HostNode } from './domain/numa.js';
export type { KiB } from './domain/size.js';
export { type LibvirtFeatures, type QemuFeatures, type Target, UPSTREAM } from './domain/target.js';
export { type BeyondHost, valuesBeyondHost } from './domain/vsmmu-attributes.js';
export type { Attachment } from './edit/elements.js';
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
export type { ManagedDevices } from './plan/orphaned.js';
export { type Planned, type PlanOptions, plan } from './plan/plan.js';
export { DEFAULT_POLICY, type Policy, readPolicy } from './policy/policy.js';
