/**
 * Compares vsmmu's prediction of a guest with the report of a guest. Both become sentences, one per PCI function and
 * range of the IORT, so that the two lists can be compared exactly and a difference is readable.
 */
import { parseDomain } from '../../src/domain/domain.js';
import { drawTree } from '../../src/guest/lspci.js';
import type { GuestView as Prediction } from '../../src/guest/predict.js';
import { Host } from '../../src/host/host.js';
import type { PciLayout } from './argv.js';
import { standInVendor } from './emulated.js';
import type { GuestDevice, GuestView } from './guest.js';
import { smmuName } from './iort.js';

/** The kernel's name of the vSMMU at a position: QEMU's virt machine puts them one after the other, 128 KiB apart. */
function nameOf(location: number): string {
  return smmuName(0x0c000000n + BigInt(location) * 0x20000n);
}

/** The predicted sentences. */
export function predictedSight({ functions, vsmmus, iort }: Prediction): string[] {
  return [
    `${vsmmus.length} SMMUs`,
    ...functions.map(({ address, host, bus, vsmmu }) => {
      return sentence(address, host, bus === null ? undefined : hex(bus), vsmmu === null ? undefined : nameOf(vsmmu));
    }),
    ...iort.map(({ first, last, target }) => range(first, last, target === 'its' ? 'the ITS' : nameOf(target))),
  ];
}

/**
 * The sentences for a guest. A host device is recognized by its stand-in's number; `hosts` are the host addresses in the
 * order of the domain's hostdevs. The host bridge of pcie.0, which is in every guest, is left out.
 */
export function observedSight(view: GuestView, layout: PciLayout, hosts: readonly string[]): string[] {
  const hostOf = ({ subsystem, device }: GuestDevice): string | null => {
    const [vendor, number = ''] = subsystem.split(':');
    if (vendor !== standInVendor || device !== standInDevice) return null;
    const standIn = layout.hostDevices[Number.parseInt(number, 16) - 1];
    return standIn === undefined ? null : (hosts[standIn.index] ?? null);
  };
  return sightOf(view, hostOf);
}

/** The sentences for a guest; `hostOf` returns the host device of a guest device, or null for an emulated one. */
export function sightOf(view: GuestView, hostOf: (device: GuestDevice) => string | null): string[] {
  return [
    `${view.smmus.length} SMMUs`,
    ...view.devices
      .filter((device) => device.bdf !== hostBridge)
      .map((device) => sentence(device.bdf, hostOf(device), device.secondary, device.smmu)),
    ...(view.iort?.mappings ?? [])
      .toSorted((a, b) => a.first - b.first)
      .map(({ first, last, smmu }) => range(first, last, smmu === undefined ? 'the ITS' : smmuName(smmu))),
  ];
}

/** The ports of expander buses, each with the NUMA node of its expander bus in the guest; -1: none. */
export function predictedNodes(layout: PciLayout): string[] {
  return layout.expanderBuses
    .flatMap(({ id, busNr, numaNode }) => {
      const ports = layout.ports.filter((port) => port.bus === id);
      return ports.map(({ addr }) => `0000:${hex(busNr)}:${slotAndFunction(addr)} on node ${numaNode ?? -1}`);
    })
    .sort();
}

export function observedNodes(view: GuestView, layout: PciLayout): string[] {
  const roots = layout.expanderBuses.map(({ busNr }) => `0000:${hex(busNr)}`);
  return view.devices
    .filter((device) => device.parent === undefined && roots.includes(device.root))
    .map((device) => `${device.bdf} on node ${device.numaNode}`)
    .sort();
}

/** Removes the names of devices from a PCI tree as `lspci -tv` draws it, of the guest or predicted. */
export function treeOf(drawing: string): string {
  return drawing.trimEnd().replace(/(\.[0-7]) {2}.*$/gm, '$1');
}

/** The predicted tree of a domain. */
export function predictedTree(prediction: Prediction, xml: string): string {
  const noHost = new Host({ version: 1, smmus: [], devices: [], nodes: [] });
  return treeOf(drawTree(prediction, parseDomain(xml), noHost));
}

/** The e1000e that stands in for a host device. */
const standInDevice = '10d3';
const hostBridge = '0000:00:00.0';

function sentence(address: string, host: string | null, bus: string | undefined, smmu: string | undefined): string {
  const what = host === null ? 'emulated' : `host device ${host}`;
  const leads = bus === undefined ? '' : `, leads to bus ${bus}`;
  return `${address}: ${what}${leads}, behind ${smmu ?? 'none'}`;
}

function range(first: number, last: number, target: string): string {
  return `ids ${first.toString(16).padStart(4, '0')}–${last.toString(16).padStart(4, '0')} to ${target}`;
}

/** Converts `0x2.0x1` to the form in a guest: `02.1`. */
function slotAndFunction(addr: string): string {
  const [slot = '0', fn = '0'] = addr.replaceAll('0x', '').split('.');
  return `${slot.padStart(2, '0')}.${fn}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
