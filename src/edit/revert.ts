import { type Diagnostic, diagnostic, RefusedError } from '../diagnostics.js';
import type { PciController } from '../domain/controller.js';
import type { Domain } from '../domain/domain.js';
import { PciTree } from '../domain/pci-tree.js';
import { isOurAlias } from '../plan/alias.js';
import type { XmlElement } from '../xml/document.js';
import { fillGaps } from './gaps.js';
import { readRecord } from './record.js';
import { undo } from './undo.js';

/** How to revert. */
export interface RevertOptions {
  /** Takes out bridges for vSMMUs although no record says what was there before: what can be told to be one goes. */
  readonly force?: boolean;
}

/** A domain's text as it was before the first rewriting, and what there is to say about it. */
export interface Reverted {
  readonly xml: string;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Takes out of a domain everything that `rewrite` put in. Where nobody edited it since, what comes out is the text that first
 * went in, byte for byte, or what libvirt would have printed for that where libvirt stored it in between.
 * @throws RefusedError `revert-unrecorded` where there are bridges without a record, unless forced
 */
export function revert(domain: Domain, options: RevertOptions = {}): Reverted {
  const { elements, record, diagnostics } = readRecord(domain);
  const unrecorded = record ? [] : bridges(domain);
  if (elements.length === 0 && unrecorded.length === 0) {
    return { xml: domain.document.text, diagnostics: [diagnostic('revert-nothing', 'nothing in it is of vsmmu')] };
  }
  if (unrecorded[0] && !options.force) {
    const why = diagnostics[0]?.message ?? 'no record of what was there before';
    const message = `the domain has bridges for vSMMUs, and ${why}`;
    throw new RefusedError([...diagnostics, diagnostic('revert-unrecorded', message, { place: unrecorded[0].place })]);
  }
  const taken = unrecorded.length > 0 ? [...unrecorded.map((c) => c.element), ...unrecordedTraces(domain)] : [];
  const undone = undo(domain, record, elements, taken);
  const filled = fillGaps(undone.xml, undone.freed);
  return { xml: filled.xml, diagnostics: [...diagnostics, ...undone.diagnostics, ...filled.diagnostics] };
}

/** The controllers that make vSMMUs where no record tells of them: ours by alias, and accelerated buses with their ports. */
export function bridges(domain: Domain): PciController[] {
  const tree = new PciTree(domain);
  const accelerated = new Set(domain.iommus.flatMap((i) => (i.values.accel === 'on' ? [i.pciBus] : [])));
  const ours = domain.controllers.filter((c) => isOurAlias(c.alias));
  const buses = tree.expanders.filter((c) => ours.includes(c) || accelerated.has(c.index));
  return [...new Set([...ours, ...buses.flatMap((c) => [c, ...tree.busesBelow(c.index)])])];
}

/**
 * What else can be told to be ours where no record tells: the iommufd of devices behind bridges of ours, where their `<driver>`
 * says nothing but that, and what ports of ours reserve. Such a device works without it just as well.
 */
function unrecordedTraces(domain: Domain): XmlElement[] {
  const tree = new PciTree(domain);
  const behindOurs = domain.hostDevices.filter(
    ({ address }) => address && isOurAlias(tree.controller(tree.rootOf(address.bus))?.alias),
  );
  const drivers = behindOurs.flatMap(({ element, iommufd }) => {
    const driver = element.child('driver');
    return driver && iommufd === 'yes' && driver.attributes.length === 1 && driver.children.length === 0
      ? [driver]
      : [];
  });
  return [...drivers, ...reserves(domain)];
}

/** What `<qemu:override>` has ports of ours reserve, by their alias. */
export function reserves({ overrides }: Domain): XmlElement[] {
  const ours = [...overrides.devices].flatMap(([alias, { element }]) => (isOurAlias(alias) ? [element] : []));
  const isAll = overrides.element && ours.length === overrides.element.children.length;
  return isAll && overrides.element ? [overrides.element] : ours;
}
