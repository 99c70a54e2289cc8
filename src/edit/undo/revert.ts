import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { RefusedError } from '../../diagnostics/errors.js';
import { revertNothing, revertUnrecorded } from '../../diagnostics/record.js';
import { isOurAlias } from '../../domain/alias.js';
import type { PciController } from '../../domain/controller.js';
import type { Domain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { PciTree } from '../../domain/pci-tree.js';
import { NONE } from '../properties.js';
import { type Meaning, readRecord } from './record.js';
import { undo } from './undo.js';

/** Options for `revert`. */
export interface RevertOptions {
  /** Removes expander buses with vSMMUs even without a record of the former state. */
  readonly force?: boolean;
}

/** A domain's text as it was before the first rewrite, with diagnostics. */
export interface Reverted {
  readonly xml: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Errors that name the elements of vsmmu that remain. */
  readonly left: readonly Diagnostic[];
}

/**
 * Removes everything that `rewrite` added to a domain. If the domain was not edited since, the result is the text before
 * the first rewrite, byte for byte.
 * @throws RefusedError `revert-unrecorded` if there are vSMMUs without a readable record, unless forced
 */
export function revert(domain: Domain, options: RevertOptions = {}): Reverted {
  const { elements, record, diagnostics } = readRecord(domain);
  const [element] = elements;
  const unrecorded = record ? [] : expanderBuses(domain);
  if (!element && unrecorded.length === 0) {
    return { xml: domain.document.text, diagnostics: [revertNothing()], left: [] };
  }
  if (unrecorded[0] && !options.force) {
    const { location } = unrecorded[0];
    throw new RefusedError([...diagnostics, revertUnrecorded({ why: diagnostics[0]?.message, location })]);
  }
  const undone = record
    ? undo(domain, record, element)
    : undo(domain, recovered(domain, unrecorded), undefined, FORCED);
  const { text } = undone.domain.document;
  return { xml: text, diagnostics: [...diagnostics, ...undone.diagnostics], left: undone.left };
}

const FORCED = { anyAlias: true };

/** Returns the controllers of vSMMUs: those with vsmmu's aliases, and accelerated expander buses with their ports. */
export function expanderBuses(domain: Domain): PciController[] {
  const tree = new PciTree(domain);
  const accelerated = new Set(domain.iommus.flatMap((i) => (i.values.accel === 'on' ? [i.pciBus] : [])));
  const named = domain.controllers.filter((c) => isOurAlias(c.alias));
  const buses = tree.expanders.filter((c) => isOurAlias(c.alias) || accelerated.has(c.index));
  return [...new Set([...named, ...buses.flatMap((c) => [c, ...tree.busesBelow(c.index)])])];
}

/**
 * Reconstructs a lost record as far as aliases allow: the controllers, and `iommufd` of devices behind vsmmu's expander buses
 * whose `<driver>` has no other attribute. Such a device also works without it.
 */
function recovered(domain: Domain, controllers: readonly PciController[]): Meaning {
  const tree = new PciTree(domain);
  const placed = domain.hostDevices.filter(({ address, element }) => {
    const driver = element.child('driver');
    const isPlaced = address && isOurAlias(tree.controller(tree.rootOf(address.bus))?.alias);
    return isPlaced && driver?.attributes.length === 1 && driver.children.length === 0;
  });
  return {
    changed: placed.map(({ bdf }) => ({ device: bdf, iommufd: `${NONE} to yes` })),
    added: { controllers: formatNodeset(controllers.map((c) => c.index)) },
    removed: [],
  };
}
