import { accelerationCost } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { RefusedError } from '../diagnostics/errors.js';
import { hostWithoutSmmu } from '../diagnostics/vsmmu.js';
import { commandlineConflicts } from '../domain/commandline.js';
import type { Domain } from '../domain/domain.js';
import { withoutCells } from '../domain/numa.js';
import { PciTree } from '../domain/pci-tree.js';
import { type Target, UPSTREAM } from '../domain/target.js';
import type { Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';
import { accelerationDiagnostics, targetDiagnostics, whyNotApplicable } from './applicable.js';
import { describeDevice, moveDiagnostics, planDevices, renumberedAddresses } from './devices.js';
import { readCurrentTopology, requestExpanderBuses } from './expander-buses.js';
import { decideBackends } from './iommufd.js';
import { mapCells } from './numa.js';
import { planNumbers } from './numbers.js';
import { findOrphaned, type ManagedDevices } from './orphaned.js';
import { cellOf, planExpanderBuses, planPlatform } from './platform.js';
import { planRootIommu } from './root-iommu.js';
import { NO_SETTINGS, planSettings } from './settings.js';
import { divideSlots } from './slots.js';
import { type FormerVsmmus, type PlanContext, StageLog } from './stage.js';
import { judgeDevices } from './verdict.js';

/** Optional input of a plan. */
export interface PlanOptions {
  /** Accepts a domain of a type other than `kvm`, which QEMU does not accelerate. For test labs. */
  readonly forceTcg?: boolean;
  /** The libvirt and the QEMU that the domain is for; default: current upstream. */
  readonly target?: Target;
  /** The elements that earlier runs added for certain devices and that are removed with those devices; default: none. */
  readonly managed?: ManagedDevices;
  /** The vSMMUs that devices had before `--relayout` removed them; default: none. */
  readonly former?: FormerVsmmus;
}

/** A plan with its warnings and notes. */
export interface Planned {
  readonly plan: Plan;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Plans where each placeable device of a domain goes, for a given host. A pure function: the same domain, host and policy give
 * the same plan. Planning a rewritten domain again changes nothing.
 *
 * Each stage (applicability, selection, expander buses, ports and numbers, platform) returns its
 * decisions, diagnostics and changes.
 * @throws RefusedError if the domain cannot be placed on this host, with all reasons that could be found
 */
export function plan(domain: Domain, host: Host, policy: Policy, options: PlanOptions = {}): Planned {
  const note = whyNotApplicable(domain);
  if (note) return { plan: unchangedPlan(domain, host), diagnostics: [note] };
  if (host.smmus.length === 0) throw new RefusedError(hostWithoutSmmu.devices());
  const { target = UPSTREAM, forceTcg = false, managed = { groupMembers: new Set(), cells: new Set() } } = options;
  const tree = new PciTree(domain);
  const context: PlanContext = { domain, tree, host, policy, target, former: options.former ?? new Map() };
  const log = new StageLog();

  const selection = judgeDevices(domain, host, policy);
  const current = readCurrentTopology(domain, tree, host);
  log.collect(selection, current, { diagnostics: policy.ignoreCommandline ? [] : commandlineConflicts(domain) });

  const slots = divideSlots(domain, tree, selection.verdicts, current.expanderBuses);
  const wanted = requestExpanderBuses(context, current, slots);
  const isTranslated = wanted.requests.length > 0;
  const unable = isTranslated
    ? [...accelerationDiagnostics(domain, forceTcg), ...targetDiagnostics(target, policy)]
    : [];
  const root = planRootIommu(current.rootIommu, selection.verdicts, policy, isTranslated);
  log.collect(slots, { diagnostics: unable }, root);

  const orphaned = findOrphaned(domain, host, managed);
  const guestNuma = withoutCells(domain.numa, orphaned.cells);
  const cells = mapCells(guestNuma, host, isTranslated ? policy.numa : 'existing');
  const numbers = planNumbers(context, { ...wanted, current, slots, machineIommu: root.machineIommu });
  const reports = wanted.requests.flatMap((each) => [...cellOf(each, cells, context).diagnostics, ...each.diagnostics]);
  log.collect(orphaned, { diagnostics: [...wanted.diagnostics, ...reports] }, numbers);

  const { ports } = numbers;
  const { expanderBuses, changes } = planExpanderBuses(numbers.expanderBuses, cells, context);
  const backends = decideBackends(domain, host, policy, selection.verdicts);
  const decisions = { verdicts: selection.verdicts, places: ports.places, promoted: slots.promoted, backends };
  const devices = planDevices(context, decisions);
  const platform = planPlatform(context, { cells, numbered: numbers.expanderBuses, expanderBuses, devices });
  const settings = planSettings(context, selection.verdicts);
  log.collect({ changes }, backends, platform, settings);

  const cost = expanderBuses.some(({ vsmmuChange }) => vsmmuChange === 'add') ? [accelerationCost()] : [];
  log.collect({ diagnostics: [...moveDiagnostics(context, decisions), ...cost] });
  return {
    plan: {
      version: 1,
      changed: log.changes.length > 0,
      expanderBuses,
      rootPorts: ports.rootPorts,
      devices: platform.devices,
      groupMembers: selection.groupMembers,
      orphaned: { groupMembers: orphaned.groupMembers, cells: orphaned.cells },
      renumbered: renumberedAddresses(decisions),
      iommufd: backends.domain,
      dialect: target.libvirt.dialect,
      machineIommu: root.machineIommu,
      busNumbers: numbers.ledger,
      numa: platform.numa,
      pcihole64: platform.pcihole64,
      settings: settings.settings,
    },
    diagnostics: log.diagnostics,
  };
}

/** Returns the plan for a domain that is left unchanged. */
function unchangedPlan(domain: Domain, host: Host): Plan {
  return {
    version: 1,
    changed: false,
    expanderBuses: [],
    rootPorts: [],
    devices: domain.hostDevices.map((device) => describeDevice(device, host, undefined)),
    groupMembers: [],
    orphaned: { groupMembers: [], cells: [] },
    renumbered: [],
    iommufd: 'none',
    dialect: 'upstream',
    machineIommu: 'none',
    busNumbers: [],
    numa: { created: null, initiators: [], distances: [] },
    pcihole64: null,
    settings: NO_SETTINGS,
  };
}
