import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import { type Iommu, VSMMU_ATTRIBUTES, type VsmmuValues } from '../domain/iommu.js';
import type { ExpanderBus } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import type { Window } from './bus-numbers.js';
import type { CurrentTopology } from './current.js';
import type { CellMap } from './numa.js';
import { cellOfDraft } from './platform.js';
import type { Policy } from './policy.js';
import type { ExpanderBusLayout } from './ports.js';
import { draftDevices, type ExpanderBusRequest } from './requests.js';
import type { Target } from './target.js';
import {
  missingValues,
  profileBeyondHost,
  unsupportedValues,
  type ValueRequest,
  valuesBeyondHost,
  vsmmuValues,
} from './vsmmu.js';

/** What an expander bus's vSMMU rests on. */
export interface VsmmuContext {
  readonly host: Host;
  readonly policy: Policy;
  readonly target: Target;
}

/** Something, and what there is to say about it. */
export interface WithDiagnostics<T> {
  readonly result: T;
  readonly diagnostics: readonly Diagnostic[];
}

/** Whether an expander bus is to have a vSMMU: one without a device only where it is wanted for all SMMUs or has all its values. */
export function isActive(draft: ExpanderBusRequest, context: VsmmuContext): boolean {
  if (hasDevices(draft) || draft.mandatory) return true;
  return draft.existing?.iommu !== undefined && missingValues(valuesOf(draft, context), context.target).length === 0;
}

/** An expander bus of the plan: a layout with its bus numbers, its NUMA cell and its vSMMU. */
export function planExpanderBus(
  layout: ExpanderBusLayout,
  window: Window | undefined,
  cells: CellMap,
  context: VsmmuContext,
): WithDiagnostics<ExpanderBus> {
  const { draft, controllerIndex, address, alias, ports } = layout;
  const { existing, smmu } = draft;
  const active = isActive(draft, context);
  const vsmmu = active ? valuesOf(draft, context) : {};
  const nodeBefore = existing?.controller.node ?? null;
  const cell = active ? cellOfDraft(draft, context.host, cells) : { node: nodeBefore, diagnostics: [] };
  const result: ExpanderBus = {
    smmu,
    controllerIndex,
    // Without a window the plan is refused before anybody reads this.
    busNr: window?.busNr ?? existing?.controller.busNr ?? (0 as ExpanderBus['busNr']),
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
  existing: CurrentTopology,
  drafts: readonly ExpanderBusRequest[],
  target: Target,
): WithDiagnostics<readonly ControllerIndex[]> {
  const drafted = new Set(drafts.map((draft) => draft.existing?.controller.index));
  const others = [...existing.expanderBuses.values()].filter(
    ({ controller, iommu }) => iommu?.values.accel === 'on' && !drafted.has(controller.index),
  );
  const diagnostics = others.flatMap(({ controller, iommu }) => {
    const missing = missingValues(iommu?.values ?? {}, target);
    if (missing.length === 0) return [];
    const message = `the vSMMU of PCI controller ${controller.index} has no device to read ${missing.join(', ')} off`;
    const hint = 'remove that <iommu>, or give these values in its <driver>';
    return [diagnostic('vsmmu-values-missing', message, { location: iommu?.location, hint })];
  });
  return { result: others.map(({ controller }) => controller.index), diagnostics };
}

function hasDevices(draft: ExpanderBusRequest): boolean {
  return draft.inPlace.length + draft.joining.length > 0;
}

/** The host's devices behind an expander bus; of one without, those that could be. */
function devicesBehind(draft: ExpanderBusRequest, host: Host): readonly PciDevice[] {
  if (!hasDevices(draft)) return host.endpointsBehind(draft.smmu);
  return draftDevices(draft).flatMap((device) => host.device(device.bdf) ?? []);
}

function valueRequest(draft: ExpanderBusRequest, { host, policy, target }: VsmmuContext): ValueRequest {
  const { smmu, existing } = draft;
  const features = host.smmu(smmu)?.features;
  return { devices: devicesBehind(draft, host), policy, target, features, present: existing?.iommu?.values };
}

function valuesOf(draft: ExpanderBusRequest, context: VsmmuContext): VsmmuValues {
  return vsmmuValues(valueRequest(draft, context));
}

function unsupported(draft: ExpanderBusRequest, context: VsmmuContext): Diagnostic[] {
  const { target } = context;
  return unsupportedValues(valueRequest(draft, context)).map(({ name, value, severity }) => {
    const who = target.libvirt.vsmmu.has(name) ? target.qemu.name : target.libvirt.name;
    const message = `${who} cannot give the vSMMU of ${draft.smmu} ${name}='${value}'`;
    return diagnostic('target-value-unsupported', message, { severity });
  });
}

/** The values that the SMMU itself does not have: QEMU would not start with them. */
function beyondHost(draft: ExpanderBusRequest, vsmmu: VsmmuValues, context: VsmmuContext): Diagnostic[] {
  const { smmu, existing } = draft;
  const request = valueRequest(draft, context);
  const leftOut = profileBeyondHost(request).map(({ name, value }) => {
    const message = `${smmu} has less than the ${name}='${value}' of its devices' platform, which is left out`;
    return diagnostic('vsmmu-value-beyond-host', message, { severity: 'warning' });
  });
  const refused = valuesBeyondHost(vsmmu, request.features).map(({ name, value, host }) =>
    diagnostic('vsmmu-value-beyond-host', `the vSMMU of ${smmu} has ${name}='${value}', and the SMMU itself ${host}`, {
      location: existing?.iommu?.values[name] === value ? existing.iommu.location : undefined,
    }),
  );
  return [...leftOut, ...refused];
}

/** The values without which the vSMMU of an expander bus without a device does not start (QEMU 11.1). */
function lacking(draft: ExpanderBusRequest, vsmmu: VsmmuValues, { target }: VsmmuContext): Diagnostic[] {
  const missing = hasDevices(draft) ? [] : missingValues(vsmmu, target);
  if (missing.length === 0) return [];
  const message = `the expander bus of ${draft.smmu} has no device to read ${missing.join(', ')} off`;
  return [
    diagnostic('vsmmu-values-missing', message, { hint: `give ${missing.map((name) => `--${name}`).join(' ')}` }),
  ];
}

function vsmmuChange(
  before: Iommu | undefined,
  after: VsmmuValues | undefined,
  target: Target,
): ExpanderBus['vsmmuChange'] {
  if (!before) return after ? 'add' : 'none';
  if (!after) return 'remove';
  const respelled = before.spellings.some((name) => name !== target.libvirt.ssidsize);
  return respelled || VSMMU_ATTRIBUTES.some((name) => before.values[name] !== after[name]) ? 'set' : 'none';
}
