/**
 * What the tool predicts of a guest, held against what a guest saw. Both become sentences, one for each PCI function and
 * each range of the IORT: two lists of text compare exactly, and a difference reads by itself.
 */
import { parseDomain } from '../../src/domain/domain.js';
import { drawTree } from '../../src/guest/lspci.js';
import type { GuestView as Prediction } from '../../src/guest/predict.js';
import { Host } from '../../src/host/host.js';
import type { PciLayout } from './argv.js';
import { standInVendor } from './emulated.js';
import type { GuestDevice, GuestView } from './guest.js';
import { smmuName } from './iort.js';

/** The kernel's name of the vSMMU in a place: QEMU's virt machine puts them one after the other, 128 KiB apart. */
function nameOf(location: number): string {
  return smmuName(0x0c000000n + BigInt(location) * 0x20000n);
}

/** What the guest must see. */
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
 * What the guest saw. A host device is told by its stand-in's number; `hosts` are the host addresses in the order of the
 * domain's hostdevs. The host bridge of pcie.0, which is in every guest, is left out.
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

/** What the guest saw, where `hostOf` tells which host device a device of its is; null: an emulated one. */
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

/** Ports of expander buses and the guest's NUMA node of each: the bridge's own, or -1. */
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

/** A PCI tree as `lspci -tv` draws it, without the names of the devices: the guest's, or the predicted one. */
export function treeOf(drawing: string): string {
  return drawing.trimEnd().replace(/(\.[0-7]) {2}.*$/gm, '$1');
}

/** The tree that is predicted for a domain. */
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

/** `0x2.0x1` as a guest writes it: `02.1`. */
function slotAndFunction(addr: string): string {
  const [slot = '0', fn = '0'] = addr.replaceAll('0x', '').split('.');
  return `${slot.padStart(2, '0')}.${fn}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}
