import { type Diagnostic, diagnostic, RefusedError } from '../../diagnostics.js';
import { isOurAlias } from '../../domain/alias.js';
import type { PciController } from '../../domain/controller.js';
import type { Domain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { PciTree } from '../../domain/pci-tree.js';
import { NONE } from '../properties.js';
import { type Meaning, readRecord } from './record.js';
import { undo } from './undo.js';

/** How to revert. */
export interface RevertOptions {
  /** Takes out expander buses with vSMMUs although no record says what was there before. */
  readonly force?: boolean;
}

/** A domain's text as it was before the first rewriting. */
export interface Reverted {
  readonly xml: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Errors that say what of vsmmu's is left in it. */
  readonly left: readonly Diagnostic[];
}

/**
 * Takes out of a domain everything that `rewrite` put in. Where nobody edited it since, the result is the text that first
 * went in, byte for byte.
 * @throws RefusedError `revert-unrecorded` where there are vSMMUs without a record that can be read, unless forced
 */
export function revert(domain: Domain, options: RevertOptions = {}): Reverted {
  const { elements, record, diagnostics } = readRecord(domain);
  const [element] = elements;
  const unrecorded = record ? [] : expanderBuses(domain);
  if (!element && unrecorded.length === 0) {
    const nothing = diagnostic('revert-nothing', 'nothing in it is of vsmmu');
    return { xml: domain.document.text, diagnostics: [nothing], left: [] };
  }
  if (unrecorded[0] && !options.force) {
    const why = diagnostics[0]?.message ?? 'no record of what was there before';
    const message = `the domain has expander buses for vSMMUs, and ${why}`;
    throw new RefusedError([
      ...diagnostics,
      diagnostic('revert-unrecorded', message, { location: unrecorded[0].location }),
    ]);
  }
  const undone = record
    ? undo(domain, record, element)
    : undo(domain, recovered(domain, unrecorded), undefined, FORCED);
  const { text } = undone.domain.document;
  return { xml: text, diagnostics: [...diagnostics, ...undone.diagnostics], left: undone.left };
}

const FORCED = { anyAlias: true };

/** The controllers that make vSMMUs: vsmmu's by alias, and accelerated buses with their ports. */
export function expanderBuses(domain: Domain): PciController[] {
  const tree = new PciTree(domain);
  const accelerated = new Set(domain.iommus.flatMap((i) => (i.values.accel === 'on' ? [i.pciBus] : [])));
  const ours = domain.controllers.filter((c) => isOurAlias(c.alias));
  const buses = tree.expanders.filter((c) => isOurAlias(c.alias) || accelerated.has(c.index));
  return [...new Set([...ours, ...buses.flatMap((c) => [c, ...tree.busesBelow(c.index)])])];
}

/**
 * What is known of a lost record: the controllers, and `iommufd` of devices behind those of vsmmu's where their `<driver>`
 * says nothing else. Such a device works without it as well.
 */
function recovered(domain: Domain, controllers: readonly PciController[]): Meaning {
  const tree = new PciTree(domain);
  const behindOurs = domain.hostDevices.filter(({ address, element }) => {
    const driver = element.child('driver');
    const isOurs = address && isOurAlias(tree.controller(tree.rootOf(address.bus))?.alias);
    return isOurs && driver?.attributes.length === 1 && driver.children.length === 0;
  });
  return {
    changed: behindOurs.map(({ bdf }) => ({ device: bdf, iommufd: `${NONE} to yes` })),
    added: { controllers: formatNodeset(controllers.map((c) => c.index)) },
    removed: [],
  };
}
