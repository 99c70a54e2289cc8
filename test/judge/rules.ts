import type { PciDevice, Topology } from '../../src/generated/topology.js';
import type { Policy } from '../../src/policy/policy.js';
import { isPort, rootOf } from './libvirt.js';
import type { Address, Controller, Device, Guest } from './reader.js';

/** The input of a rule: a domain, its host and the policy. */
export interface RuleInput {
  readonly guest: Guest;
  readonly host: Topology;
  readonly policy: Policy;
}

/** Returns the faults of a domain, as sentences. */
export type Rule = (view: RuleInput) => string[];

export const isAccelerated = ({ guest: { smmus } }: RuleInput, bus: number): boolean =>
  smmus.some((smmu) => smmu.model === 'smmuv3' && smmu.bus === bus && smmu.values.accel === 'on');

export const onHost = ({ host }: Pick<RuleInput, 'host'>, bdf: string | undefined): PciDevice | undefined =>
  host.devices.find((device) => device.bdf === bdf);

/** The root bus of a device; undefined for a device without an address. */
export const busOf = ({ guest }: RuleInput, { address }: Device): number | undefined =>
  address && rootOf(guest, address.bus);

export const isBehindVsmmu = (view: RuleInput, device: Device): boolean => {
  const bus = busOf(view, device);
  return bus !== undefined && bus !== 0 && isAccelerated(view, bus);
};

/** Linux 7.2 attaches whole groups, including bridges. */
export const isAlone = (host: Topology, device: PciDevice): boolean =>
  device.group !== null && host.devices.filter(({ group }) => group === device.group).length === 1;

/** The devices that belong behind a vSMMU. */
export function placeable({ guest, host, policy }: RuleInput): readonly Device[] {
  return guest.devices.filter((device) => {
    const there = onHost({ host }, device.bdf);
    const stays = !there || device.unassigned || policy.bypass.includes(there.bdf);
    return !stays && there.smmu !== null && isAlone(host, there);
  });
}

const devicesPlaced: Rule = (view) =>
  placeable(view)
    .filter((device) => !isBehindVsmmu(view, device))
    .map(({ bdf }) => `${bdf} is alone in its group and behind no vSMMU`);

const devicesStay: Rule = (view) => {
  const belong = new Set(placeable(view));
  return view.guest.devices
    .filter((device) => isBehindVsmmu(view, device) && !belong.has(device))
    .map(({ bdf, name }) => `${bdf ?? name} is behind a vSMMU and must not be`);
};

const oneSmmuPerBus: Rule = (view) => {
  const smmus = new Map<number, Set<string>>();
  for (const device of view.guest.devices.filter((each) => isBehindVsmmu(view, each))) {
    const bus = busOf(view, device) ?? 0;
    smmus.set(bus, (smmus.get(bus) ?? new Set()).add(String(onHost(view, device.bdf)?.smmu)));
  }
  return [...smmus]
    .filter(([, names]) => names.size > 1)
    .map(([bus]) => `the vSMMU of ${bus} has devices of two SMMUs`);
};

const iommufd: Rule = (view) =>
  view.guest.devices
    .filter((device) => isBehindVsmmu(view, device) && !device.iommufd)
    .map(({ bdf }) => `${bdf} is behind a vSMMU without iommufd`);

/** The members of a group that are in the domain use the same kind of backend. */
const oneBackendPerGroup: Rule = (view) => {
  const kinds = new Map<number, Set<boolean>>();
  for (const { bdf, unassigned, iommufd: uses } of view.guest.devices) {
    const group = onHost(view, bdf)?.group ?? null;
    if (group !== null && !unassigned) kinds.set(group, (kinds.get(group) ?? new Set()).add(uses));
  }
  return [...kinds].filter(([, kind]) => kind.size > 1).map(([group]) => `group ${group} has two backends`);
};

/** The limits of libvirt and QEMU for SMMUs. */
const smmus: Rule = (view) => {
  const { guest, host } = view;
  const found: string[] = [];
  const buses = guest.smmus.map(({ bus }) => bus);
  if (guest.smmus.length > 16) found.push(`${guest.smmus.length} SMMUs`);
  if (new Set(buses).size < buses.length) found.push('two SMMUs have one bus');
  for (const { bus, values } of guest.smmus) {
    if (bus !== 0 && (bus === undefined || guest.controllers.get(bus)?.model !== 'pcie-expander-bus')) {
      found.push(`an SMMU names ${bus}`);
      continue;
    }
    const behind = guest.devices.filter((device) => device.bdf !== undefined && busOf(view, device) === bus);
    const missing = ['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'].filter((name) => values[name] === undefined);
    if (values.accel === 'on' && behind.length === 0 && missing.length > 0)
      found.push(`the vSMMU of ${bus} has no device and no ${missing}`);
    const smmu = host.smmus.find(({ name }) => name === onHost(view, behind[0]?.bdf)?.smmu);
    const beyond = (name: 'oas' | 'ssidsize') => Number(values[name] ?? 0) > (smmu?.features?.[name] ?? 99);
    if (beyond('oas') || beyond('ssidsize')) found.push(`the vSMMU of ${bus} has more than its SMMU`);
    if (values.ats === 'on' && smmu?.features?.ats === false) found.push(`the vSMMU of ${bus} has ats`);
    if (!['44', '48', undefined].includes(values.oas)) found.push(`oas ${values.oas}`);
  }
  return found;
};

/** Each bus below an expander bus takes a number of its window; buses below `pcie.0` are numbered from 0. */
const busNumbers: Rule = ({ guest }) => {
  const controllers = [...guest.controllers.values()].filter(({ index }) => index !== 0);
  const roots = controllers.filter(({ model }) => model === 'pcie-expander-bus');
  const below = (root: number) =>
    controllers.filter((c) => c.model !== 'pcie-expander-bus' && rootOf(guest, c.index) === root).length;
  const numbers = roots.map(({ busNr = -1, index }) => ({ busNr, index })).sort((a, b) => a.busNr - b.busNr);
  const found = numbers.flatMap(({ busNr, index }, n) => {
    const window = (numbers[n + 1]?.busNr ?? 256) - busNr;
    const needed = 1 + below(index);
    if (busNr < 1 || busNr > 254) return [`expander bus ${index} has busNr ${busNr}`];
    return needed > window ? [`expander bus ${index} has ${window} bus numbers and needs ${needed}`] : [];
  });
  const root = 1 + below(0);
  const lowest = numbers[0]?.busNr ?? 256;
  return root > lowest ? [...found, `pcie.0 has ${lowest} bus numbers and needs ${root}`] : found;
};

const key = ({ bus, slot, function: func }: Address): string => `${bus}:${slot}.${func}`;

const addresses: Rule = ({ guest }) => {
  const found: string[] = [];
  const occupants: (Controller | Device)[] = [...guest.controllers.values(), ...guest.devices];
  const seen = new Set<string>();
  const slots = new Map<string, number[]>();
  for (const { address } of occupants) {
    if (!address) continue;
    if (seen.has(key(address))) found.push(`${key(address)} is taken twice`);
    seen.add(key(address));
    const slot = key({ ...address, function: 0 });
    slots.set(slot, [...(slots.get(slot) ?? []), address.function]);
    const parent = guest.controllers.get(address.bus);
    if (!parent && address.bus !== 0) found.push(`no controller ${address.bus}`);
    else if (parent && isPort(parent) && address.slot !== 0)
      found.push(`slot ${address.slot} below port ${address.bus}`);
    if (address.slot > 31 || (address.bus === 0 && address.slot === 0)) found.push(`slot ${address.slot}`);
  }
  for (const [slot, functions] of slots) if (!functions.includes(0)) found.push(`${slot} has no function 0`);
  for (const device of guest.devices) {
    const parent = device.address && guest.controllers.get(device.address.bus);
    if (parent?.model === 'pcie-expander-bus') found.push(`${device.alias} is directly on an expander bus`);
  }
  return found;
};

const controllers: Rule = ({ guest }) => {
  const found: string[] = [];
  const chassis = new Set<number>();
  for (const controller of guest.controllers.values()) {
    const { index, address, model } = controller;
    if (index > 255) found.push(`controller index ${index}`);
    if (address && address.bus > index) found.push(`controller ${index} is on ${address.bus}`);
    if (model === 'pcie-expander-bus' && address && address.bus !== 0)
      found.push(`expander bus ${index} is not on pcie.0`);
    if (!isPort(controller)) continue;
    const number = controller.chassis ?? index;
    if (chassis.has(number)) found.push(`chassis ${number} twice`);
    chassis.add(number);
  }
  const indexes = [...guest.controllers.keys()].filter((index) => index > 0);
  const highest = Math.max(0, ...indexes);
  if (indexes.length < highest) found.push(`${highest - indexes.length} controller indexes are missing`);
  return found;
};

const GIB = 2 ** 30;

/** Firmware aligns each BAR, so the hole is at least their sum. */
const hole: Rule = (view) => {
  const { guest } = view;
  const size = guest.hole === undefined ? 512 * GIB : guest.hole * 1024;
  if (guest.hole !== undefined && (size < 512 * GIB || !Number.isInteger(Math.log2(size))))
    return [`pcihole64 ${size}`];
  const bars = guest.devices
    .filter((device) => isBehindVsmmu(view, device))
    .flatMap(({ bdf }) => onHost(view, bdf)?.bars ?? [])
    .filter(({ bits, prefetchable }) => bits === 64 && prefetchable);
  const sum = bars.reduce((all, bar) => all + bar.size, 0);
  return sum > size ? [`pcihole64 is ${size / GIB} GiB, and the BARs have ${sum / GIB}`] : [];
};

const cells: Rule = (view) => {
  const { guest, host, policy } = view;
  const ids = new Set(guest.cells.map(({ id }) => id));
  const found: string[] = [];
  const owners = new Set<number>();
  for (const { bdf, nodeset } of guest.devices) {
    for (const id of nodeset) {
      if (!ids.has(id)) found.push(`${bdf} names cell ${id}`);
      if (owners.has(id)) found.push(`cell ${id} has two devices`);
      owners.add(id);
    }
  }
  if (guest.cells.some(({ id }, n) => id !== n)) found.push('the cells are not numbered 0, 1, …');
  for (const { index, node } of guest.controllers.values()) {
    if (node === undefined) continue;
    if (!ids.has(node)) found.push(`expander bus ${index} names cell ${node}`);
    const here = guest.devices.filter((device) => busOf(view, device) === index);
    const nodes = new Set(here.map(({ bdf }) => onHost(view, bdf)?.node));
    const [only] = nodes;
    const bound = guest.memnodes.get(node);
    if (nodes.size === 1 && typeof only === 'number' && bound !== undefined && bound !== only) {
      found.push(`expander bus ${index} is on the cell of node ${bound}, and its devices are on ${only}`);
    }
  }
  const initiators = host.nodes.filter(({ initiator }) => initiator).length;
  const gpus = guest.devices.filter((d) => isBehindVsmmu(view, d) && onHost(view, d.bdf)?.vendor === '0x10de');
  const wanted = policy.profile === 'auto' && policy.initiators === 'auto' && guest.memnodes.size > 0 && initiators > 0;
  for (const { bdf, nodeset } of wanted ? gpus : []) {
    if (nodeset.length !== 8) found.push(`${bdf} has ${nodeset.length} Generic Initiators`);
  }
  return found;
};

export const RULES: Readonly<Record<string, Rule>> = {
  devicesPlaced,
  devicesStay,
  oneSmmuPerBus,
  iommufd,
  oneBackendPerGroup,
  smmus,
  busNumbers,
  addresses,
  controllers,
  hole,
  cells,
};
