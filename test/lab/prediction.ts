/**
 * What a guest must see of a plan, by the rules that firmware and QEMU follow (QEMU 11.1 and its EDK2): buses are
 * numbered depth first in slot order, SMMUs get their addresses in the order of the command line, and the IORT sends the
 * bus numbers in use below a bridge to its SMMU and all others past every SMMU.
 */
import type { Bridge, Plan, Port } from '../../src/generated/plan.js';
import type { PciLayout } from './argv.js';
import { standInVendor } from './emulated.js';
import type { GuestView } from './guest.js';
import { type IdMapping, smmuName } from './iort.js';

/** Everything that must hold, as a flat list of sentences: two of them are compared as text, and a difference reads well. */
export type Facts = readonly string[];

/** Requester ids on one bus, and on all. */
const idsOnBus = 0x100;
const lastId = 0xffff;

/** What the plan and the command line that came of it say the guest will see. */
export function predictedFacts(plan: Plan, layout: PciLayout): Facts {
  const bridges = plan.bridges.map((bridge) => ({ bridge, smmu: smmuOf(bridge, layout) }));
  const facts: string[] = [`${layout.smmus.length} SMMUs`];
  for (const { bridge, smmu } of bridges) {
    inSlotOrder(bridge.ports).forEach((port, index) => {
      facts.push(
        `port ${address(bridge.busNr, port)} behind ${smmu ?? 'none'}, leads to ${hex(bridge.busNr + 1 + index)}, node ${nodeOf(bridge, layout)}`,
      );
    });
  }
  layout.hostDevices.forEach((device, index) => {
    facts.push(`host device ${index + 1} (hostdev${device.index}): ${placeOf(device, bridges)}`);
  });
  return [...facts, ...mappingFacts(predictedMappings(bridges))];
}

/** The same sentences from what the guest saw. */
export function observedFacts(view: GuestView, plan: Plan, layout: PciLayout): Facts {
  const below = new Set(plan.bridges.map((bridge) => `0000:${hex(bridge.busNr)}`));
  const facts: string[] = [`${view.smmus.length} SMMUs`];
  for (const bridge of plan.bridges) {
    const ports = view.devices.filter(
      (device) => device.root === `0000:${hex(bridge.busNr)}` && device.parent === undefined,
    );
    for (const port of ports) {
      facts.push(`port ${port.bdf} behind ${port.smmu ?? 'none'}, leads to ${port.secondary}, node ${port.numaNode}`);
    }
  }
  layout.hostDevices.forEach((device, index) => {
    const standIn = `${standInVendor}:${(index + 1).toString(16).padStart(4, '0')}`;
    const seen = view.devices.filter(
      (each) => each.subsystem === standIn && each.class === '020000' && each.device === '10d3',
    );
    const places = seen.map((each) => {
      return below.has(each.root)
        ? `${each.bdf} behind ${each.smmu ?? 'none'}`
        : `pcie.0 behind ${each.smmu ?? 'none'}`;
    });
    facts.push(`host device ${index + 1} (hostdev${device.index}): ${places.join(' and ') || 'not there'}`);
  });
  return [...facts, ...mappingFacts(view.iort?.mappings ?? [])];
}

/** Devices behind an SMMU that are neither a bridge's port nor a host device's stand-in: there must be none. */
export function strays(view: GuestView): string[] {
  return view.devices
    .filter((device) => device.smmu !== undefined && device.class !== '060400')
    .filter((device) => !device.subsystem.startsWith(`${standInVendor}:`) || device.device !== '10d3')
    .map((device) => device.bdf);
}

type BridgeWithSmmu = { readonly bridge: Bridge; readonly smmu: string | undefined };

/** Ports as firmware meets them. */
function inSlotOrder(ports: readonly Port[]): Port[] {
  return ports.toSorted((a, b) => a.address.slot - b.address.slot || a.address.function - b.address.function);
}

/** The name by which QEMU knows the bus that a controller makes. */
export function busName(controller: Bridge | Port): string {
  return controller.alias ?? `pci.${controller.controllerIndex}`;
}

function placeOf(device: PciLayout['hostDevices'][number], bridges: readonly BridgeWithSmmu[]): string {
  for (const { bridge, smmu } of bridges) {
    const index = inSlotOrder(bridge.ports).findIndex((port) => busName(port) === device.bus);
    if (index < 0) continue;
    const [slot = '0', fn = '0'] = device.addr.replaceAll('0x', '').split('.');
    return `0000:${hex(bridge.busNr + 1 + index)}:${slot.padStart(2, '0')}.${fn} behind ${smmu ?? 'none'}`;
  }
  return 'pcie.0 behind none';
}

/** QEMU's virt machine puts the SMMUs one after the other, in the order of the command line, 128 KiB apart. */
function smmuOf(bridge: Bridge, layout: PciLayout): string | undefined {
  const order = layout.smmus.findIndex((smmu) => smmu.bridge === busName(bridge));
  return order < 0 ? undefined : smmuName(0x0c000000n + BigInt(order) * 0x20000n);
}

/** The guest's NUMA node of what is below a bridge: the bridge's own, or -1. */
function nodeOf(bridge: Bridge, layout: PciLayout): number {
  return layout.bridges.find((each) => each.id === busName(bridge))?.numaNode ?? -1;
}

function predictedMappings(bridges: readonly BridgeWithSmmu[]): IdMapping[] {
  const ranges = bridges
    .filter(({ smmu }) => smmu !== undefined)
    .map(({ bridge, smmu }) => {
      const first = bridge.busNr * idsOnBus;
      return {
        first,
        last: first + (bridge.ports.length + 1) * idsOnBus - 1,
        smmu: BigInt(smmu?.slice('smmu3.'.length) ?? 0),
      };
    })
    .toSorted((a, b) => a.first - b.first);
  const past: IdMapping[] = [];
  let next = 0;
  for (const { first, last } of ranges) {
    if (first > next) past.push({ first: next, last: first - 1, smmu: undefined });
    next = last + 1;
  }
  if (next <= lastId) past.push({ first: next, last: lastId, smmu: undefined });
  return [...ranges, ...past];
}

/** Each range that is mapped, in order of ids. */
function mappingFacts(mappings: readonly IdMapping[]): string[] {
  return mappings
    .toSorted((a, b) => a.first - b.first)
    .map(
      ({ first, last, smmu }) =>
        `ids ${first.toString(16).padStart(4, '0')}–${last.toString(16).padStart(4, '0')} to ${smmu === undefined ? 'the ITS' : smmuName(smmu)}`,
    );
}

function address(busNr: number, port: Port): string {
  return `0000:${hex(busNr)}:${hex(port.address.slot)}.${port.address.function}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
