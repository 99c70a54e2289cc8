import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { PciTree } from '../domain/pci-tree.js';
import { Allocator } from '../plan/allocate.js';
import { pciePort } from './elements.js';

/** A domain's text, and what there is to say about it. */
export interface Filled {
  readonly xml: string;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Puts a plain root port on pcie.0 for each of these controller indexes, which others in use come after: libvirt 12.8 would
 * add the same, and to number the controllers above it anew would break whatever names them.
 */
export function fillGaps(xml: string, freed: readonly number[]): Filled {
  if (freed.length === 0) return { xml, diagnostics: [] };
  const domain = parseDomain(xml);
  const tree = new PciTree(domain);
  const present = new Set<number>(domain.controllers.map((c) => c.index));
  const gaps = freed.filter((index) => !present.has(index)).sort((a, b) => a - b);
  if (gaps.length === 0) return { xml, diagnostics: [] };
  const allocator = new Allocator(domain, tree);
  const editor = domain.document.edit();
  const places = allocator.packedRootSlots(gaps.length);
  for (const [i, { address, multifunction }] of places.entries()) {
    const controllerIndex = gaps[i] as ControllerIndex;
    const chassis = allocator.chassis(controllerIndex);
    const port = pciePort({
      model: 'pcie-root-port',
      controllerIndex,
      address,
      chassis,
      multifunction,
      alias: null,
      kept: false,
      devices: [],
      reserve: 0,
    });
    const before = lastBelow(domain, controllerIndex);
    if (before) editor.insertAfter(before, port);
    else if (domain.devicesElement) editor.append(domain.devicesElement, port);
  }
  const message = `plain root ports take the indexes ${gaps.join(', ')}, since controllers with higher ones stay`;
  return { xml: editor.toString(), diagnostics: [diagnostic('revert-port-left', message)] };
}

function lastBelow(domain: Domain, index: ControllerIndex) {
  const below = domain.controllers.filter((c) => c.index < index).sort((a, b) => b.index - a.index);
  return (below[0] ?? domain.controllers.at(-1))?.element;
}
