import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { RefusedError } from '../diagnostics/errors.js';
import type { Bdf } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { CellId } from '../domain/numa.js';
import { PciTree } from '../domain/pci-tree.js';
import type { Target } from '../domain/target.js';
import type { VsmmuAttribute, VsmmuValues } from '../domain/vsmmu-attributes.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';

/** The input of every stage of a plan. */
export interface PlanContext {
  readonly domain: Domain;
  readonly tree: PciTree;
  readonly host: Host;
  readonly policy: Policy;
  readonly target: Target;
  readonly former: FormerVsmmus;
}

/** The vSMMU that a device was behind until `--relayout` removed that vSMMU. */
export interface FormerVsmmu {
  readonly values: VsmmuValues;
  /** The cell of its expander bus. */
  readonly node: CellId | null;
}

/** The former vSMMUs of the host devices that had one. */
export type FormerVsmmus = ReadonlyMap<Bdf, FormerVsmmu>;

/** Returns the vSMMU of each host device behind one of these expander buses. */
export function formerVsmmus(domain: Domain, buses: readonly PciController[]): FormerVsmmus {
  const tree = new PciTree(domain);
  const former = new Map<Bdf, FormerVsmmu>();
  for (const { bdf, address } of domain.hostDevices) {
    const bus = buses.find(({ index }) => address && tree.rootOf(address.bus) === index);
    const iommu = bus && domain.iommus.find(({ pciBus }) => pciBus === bus.index);
    if (bus && iommu) former.set(bdf, { values: iommu.values, node: bus.node ?? null });
  }
  return former;
}

/** Returns the values and the cell that all former vSMMUs of devices have in common. */
export function commonFormerVsmmu(devices: readonly HostDevice[], former: FormerVsmmus): FormerVsmmu | undefined {
  return devices
    .flatMap(({ bdf }) => former.get(bdf) ?? [])
    .reduce<FormerVsmmu | undefined>((common, each) => {
      if (!common) return each;
      const same = Object.entries(common.values).filter(
        ([name, value]) => each.values[name as VsmmuAttribute] === value,
      );
      return { values: Object.fromEntries(same), node: common.node === each.node ? common.node : null };
    }, undefined);
}

/** One change to an element of the domain. The element is named by its kind and key: `controller 12`, `device 0000:31:10.2`. */
export interface Change {
  readonly action: 'add' | 'set' | 'remove';
  readonly element: string;
}

/** The diagnostics and changes that every stage of a plan returns besides its decisions. */
export interface StageResult {
  readonly diagnostics: readonly Diagnostic[];
  /** All changes to the domain that follow from these decisions. */
  readonly changes: readonly Change[];
}

/** Returns one change per element, all with the same action and kind. */
export function changesOf<T>(
  action: Change['action'],
  kind: 'controller' | 'device' | 'guest' | 'iommu' | 'cell' | 'domain',
  elements: Iterable<T>,
  nameOf: (element: T) => string | number = String,
): readonly Change[] {
  return [...elements].map((element) => ({ action, element: `${kind} ${nameOf(element)}` }));
}

/** Collects the diagnostics and the changes of the stages. */
export class StageLog {
  readonly diagnostics: Diagnostic[] = [];
  readonly changes: Change[] = [];

  /**
   * Adds the diagnostics and changes of stages.
   * @throws RefusedError with everything reported so far, if that includes an error
   */
  collect(...results: readonly Partial<StageResult>[]): void {
    for (const { diagnostics = [], changes = [] } of results) {
      this.diagnostics.push(...diagnostics);
      this.changes.push(...changes);
    }
    if (this.diagnostics.some(({ severity }) => severity === 'error')) throw new RefusedError(this.diagnostics);
  }
}
