import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import { type Iommu, VSMMU_ATTRIBUTES, type VsmmuValues } from '../domain/iommu.js';
import type { Bridge } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import type { Window } from './bus-numbers.js';
import { type BridgeDraft, draftDevices } from './drafts.js';
import type { Existing } from './existing.js';
import type { BridgeLayout } from './layout.js';
import type { CellMap } from './numa.js';
import { cellOfDraft } from './platform.js';
import type { Policy } from './policy.js';
import type { Target } from './target.js';
import {
  missingValues,
  profileBeyondHost,
  unsupportedValues,
  type ValueRequest,
  valuesBeyondHost,
  vsmmuValues,
} from './vsmmu.js';

/** What a bridge's vSMMU rests on. */
export interface BridgeContext {
  readonly host: Host;
  readonly policy: Policy;
  readonly target: Target;
}

/** Something, and what there is to say about it. */
export interface Told<T> {
  readonly result: T;
  readonly diagnostics: readonly Diagnostic[];
}

/** Whether a bridge is to have a vSMMU: one without a device only where it is wanted for all SMMUs or has all its values. */
export function isActive(draft: BridgeDraft, context: BridgeContext): boolean {
  if (hasDevices(draft) || draft.forAll) return true;
  return draft.existing?.iommu !== undefined && missingValues(valuesOf(draft, context), context.target).length === 0;
}

/** A bridge of the plan: a layout with its bus numbers, its NUMA cell and its vSMMU. */
export function planBridge(
  layout: BridgeLayout,
  window: Window | undefined,
  cells: CellMap,
  context: BridgeContext,
): Told<Bridge> {
  const { draft, controllerIndex, address, alias, ports } = layout;
  const { existing, smmu } = draft;
  const active = isActive(draft, context);
  const vsmmu = active ? valuesOf(draft, context) : {};
  const nodeBefore = existing?.controller.node ?? null;
  const cell = active ? cellOfDraft(draft, context.host, cells) : { node: nodeBefore, diagnostics: [] };
  const result: Bridge = {
    smmu,
    controllerIndex,
    // Without a window the plan is refused before anybody reads this.
    busNr: window?.busNr ?? existing?.controller.busNr ?? (0 as Bridge['busNr']),
    busNumbers: window?.count ?? 1,
    address,
    alias,
    kept: existing !== undefined,
    vsmmu: { ...vsmmu },
    vsmmuChange: vsmmuChange(existing?.iommu, active ? vsmmu : undefined, context.target),
    node: cell.node,
    nodeBefore,
    ports: [...ports],
  };
  const complaints = active
    ? [...unsupported(draft, context), ...beyondHost(draft, vsmmu, context), ...lacking(draft, vsmmu, context)]
    : [];
  return { result, diagnostics: [...cell.diagnostics, ...complaints] };
}

/**
 * Expander buses with an accelerated vSMMU that stay as they are, since neither a name nor a device tells whose they
 * are. Such a one starts only with all its values, since nothing will be behind it.
 */
export function planOthers(
  existing: Existing,
  drafts: readonly BridgeDraft[],
  target: Target,
): Told<readonly ControllerIndex[]> {
  const drafted = new Set(drafts.map((draft) => draft.existing?.controller.index));
  const others = [...existing.bridges.values()].filter(
    ({ controller, iommu }) => iommu?.values.accel === 'on' && !drafted.has(controller.index),
  );
  const diagnostics = others.flatMap(({ controller, iommu }) => {
    const missing = missingValues(iommu?.values ?? {}, target);
    if (missing.length === 0) return [];
    const message = `the vSMMU of PCI controller ${controller.index} has no device to read ${missing.join(', ')} off`;
    const hint = 'remove that <iommu>, or give these values in its <driver>';
    return [diagnostic('vsmmu-values-missing', message, { place: iommu?.place, hint })];
  });
  return { result: others.map(({ controller }) => controller.index), diagnostics };
}

function hasDevices(draft: BridgeDraft): boolean {
  return draft.inPlace.length + draft.joining.length > 0;
}

/** The host's devices behind a bridge; of one without, those that could be. */
function devicesBehind(draft: BridgeDraft, host: Host): readonly PciDevice[] {
  if (!hasDevices(draft)) return host.endpointsBehind(draft.smmu);
  return draftDevices(draft).flatMap((device) => host.device(device.bdf) ?? []);
}

function valueRequest(draft: BridgeDraft, { host, policy, target }: BridgeContext): ValueRequest {
  const { smmu, existing } = draft;
  const features = host.smmu(smmu)?.features;
  return { devices: devicesBehind(draft, host), policy, target, features, present: existing?.iommu?.values };
}

function valuesOf(draft: BridgeDraft, context: BridgeContext): VsmmuValues {
  return vsmmuValues(valueRequest(draft, context));
}

function unsupported(draft: BridgeDraft, context: BridgeContext): Diagnostic[] {
  const { target } = context;
  return unsupportedValues(valueRequest(draft, context)).map(({ name, value, severity }) => {
    const who = target.libvirt.vsmmu.has(name) ? target.qemu.name : target.libvirt.name;
    const message = `${who} cannot give the vSMMU of ${draft.smmu} ${name}='${value}'`;
    return diagnostic('target-value-unsupported', message, { severity });
  });
}

/** The values that the SMMU itself does not have: QEMU would not start with them. */
function beyondHost(draft: BridgeDraft, vsmmu: VsmmuValues, context: BridgeContext): Diagnostic[] {
  const { smmu, existing } = draft;
  const request = valueRequest(draft, context);
  const leftOut = profileBeyondHost(request).map(({ name, value }) => {
    const message = `${smmu} has less than the ${name}='${value}' of its devices' platform, which is left out`;
    return diagnostic('vsmmu-value-beyond-host', message, { severity: 'warning' });
  });
  const refused = valuesBeyondHost(vsmmu, request.features).map(({ name, value, host }) =>
    diagnostic('vsmmu-value-beyond-host', `the vSMMU of ${smmu} has ${name}='${value}', and the SMMU itself ${host}`, {
      place: existing?.iommu?.values[name] === value ? existing.iommu.place : undefined,
    }),
  );
  return [...leftOut, ...refused];
}

/** The values without which the vSMMU of a bridge without a device does not start (QEMU 11.1). */
function lacking(draft: BridgeDraft, vsmmu: VsmmuValues, { target }: BridgeContext): Diagnostic[] {
  const missing = hasDevices(draft) ? [] : missingValues(vsmmu, target);
  if (missing.length === 0) return [];
  const message = `the bridge of ${draft.smmu} has no device to read ${missing.join(', ')} off`;
  return [
    diagnostic('vsmmu-values-missing', message, { hint: `give ${missing.map((name) => `--${name}`).join(' ')}` }),
  ];
}

function vsmmuChange(before: Iommu | undefined, after: VsmmuValues | undefined, target: Target): Bridge['vsmmuChange'] {
  if (!before) return after ? 'add' : 'none';
  if (!after) return 'remove';
  const respelled = before.spellings.some((name) => name !== target.libvirt.ssidsize);
  return respelled || VSMMU_ATTRIBUTES.some((name) => before.values[name] !== after[name]) ? 'set' : 'none';
}
