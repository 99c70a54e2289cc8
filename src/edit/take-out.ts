import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { type ControllerIndex, formatGuestAddress, type GuestAddress } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import type { Domain } from '../domain/domain.js';
import { PciTree } from '../domain/pci-tree.js';
import type { Port } from '../generated/plan.js';
import { rootPortAlias } from '../plan/alias.js';
import { Allocator } from '../plan/allocate.js';
import type { XmlElement } from '../xml/document.js';
import { pciePort } from './elements.js';
import { seal } from './print-form.js';
import { readRecord } from './record.js';
import { remember } from './remember.js';
import { setAddress } from './set-address.js';

/** A domain's text without some bridges, and what there is to say about it. */
export interface TakenOut {
  readonly xml: string;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Takes bridges out of a domain, whoever made them, and writes down what was there, so that `revert` puts it back. Host
 * devices behind them lose their address: a plan is to give them another. Other devices get a port of `pcie.0` each, since
 * without an address of theirs nothing would tell them from their like once libvirt has given them one.
 * @param bridges expander buses and what hangs below them
 * @param more elements that go with them
 */
export function takeOutBridges(
  domain: Domain,
  bridges: readonly PciController[],
  more: readonly XmlElement[],
): TakenOut {
  const buses = new Set<number>(bridges.map((c) => c.index));
  const isBehind = ({ address }: { readonly address: GuestAddress | undefined }) => buses.has(address?.bus ?? -1);
  const iommus = domain.iommus.filter((i) => i.pciBus !== undefined && buses.has(i.pciBus));
  const moving = domain.otherDevices.filter(isBehind);
  const staying: Domain = {
    ...domain,
    controllers: domain.controllers.filter((c) => !buses.has(c.index)),
    hostDevices: domain.hostDevices.filter((d) => !isBehind(d)),
    otherDevices: domain.otherDevices.filter((d) => !isBehind(d)),
  };
  const editor = domain.document.edit();
  for (const { element } of [...bridges, ...iommus]) editor.remove(element);
  for (const element of more) editor.remove(element);
  for (const { element } of domain.hostDevices.filter(isBehind)) {
    const address = element.child('address');
    if (address) editor.remove(address);
  }
  const ports = rootPorts(staying, buses, moving.length);
  for (const port of ports) {
    const before = lastBelow(staying, port.controllerIndex);
    if (before) editor.insertAfter(before, pciePort(port));
    else if (domain.devicesElement) editor.append(domain.devicesElement, pciePort(port));
  }
  const diagnostics = moving.flatMap(({ element, address, place }, i): Diagnostic[] => {
    const port = ports[i];
    if (!port || !address) return [];
    const to = { bus: port.controllerIndex, slot: 0, function: 0 };
    setAddress(editor, element, to, false);
    const message = `<${element.name}> moves from ${formatGuestAddress(address)} to ${formatGuestAddress(to)}, off a bridge that goes`;
    return [diagnostic('relayout-moved', message, { place })];
  });
  remember(editor, domain.document, readRecord(domain));
  return { xml: seal(editor.toString()), diagnostics };
}

/** So many ports of `pcie.0`, and one for each index that goes and others come after: libvirt would add those itself. */
function rootPorts(staying: Domain, freed: ReadonlySet<number>, count: number): Port[] {
  const tree = new PciTree(staying);
  const allocator = new Allocator(staying, tree);
  const indexes = [...freed].filter((index) => index < tree.highestIndex).sort((a, b) => a - b) as ControllerIndex[];
  while (indexes.length < count) indexes.push(allocator.index());
  const chassis = new Set(staying.controllers.map((c) => c.chassis));
  return allocator.packedRootSlots(indexes.length).map(({ address, multifunction }, i) => {
    const controllerIndex = indexes[i] as ControllerIndex;
    return {
      model: 'pcie-root-port',
      controllerIndex,
      address,
      // The allocator keeps the number of a missing index for the port that libvirt would add there: this one.
      chassis: chassis.has(controllerIndex) ? allocator.chassis(controllerIndex) : controllerIndex,
      multifunction,
      alias: rootPortAlias(controllerIndex),
      kept: false,
      devices: [],
      reserve: 0,
    };
  });
}

function lastBelow({ controllers }: Domain, index: ControllerIndex): XmlElement | undefined {
  const below = controllers.filter((c) => c.index < index).sort((a, b) => b.index - a.index);
  return (below[0] ?? controllers.at(-1))?.element;
}
