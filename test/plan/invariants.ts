import { type Target, UPSTREAM } from '../../src/domain/target.js';
import type { Plan } from '../../src/generated/plan.js';
import type { Host } from '../../src/host/host.js';
import type { Policy } from '../../src/policy/policy.js';
import { type PlainElement, plainTree } from '../xml/libxml2.js';

/**
 * Checks rewritten domains independently of the planner: it reads both texts with libxml2 and does not call the planner,
 * so that it does not share the planner's mistakes.
 */

interface Where {
  readonly bus: number;
  readonly slot: number;
  readonly func: number;
}

interface Controller {
  readonly index: number;
  readonly model: string;
  readonly at: Where | undefined;
  readonly busNr: number | undefined;
  readonly chassis: number | undefined;
  readonly alias: string;
}

interface Device {
  readonly element: PlainElement;
  readonly at: Where | undefined;
  /** The address of the host device; undefined for an emulated device. */
  readonly bdf: string | undefined;
  readonly unassigned: boolean;
  readonly iommufd: string | undefined;
}

interface Iommu {
  readonly bus: number | undefined;
  readonly values: Readonly<Record<string, string>>;
}

/** A domain as the checks read it. */
export interface Reading {
  readonly controllers: readonly Controller[];
  readonly devices: readonly Device[];
  readonly iommus: readonly Iommu[];
  /** The default of `iommufd` for host devices of the domain. */
  readonly iommufd: string | undefined;
  /** The ids of its NUMA cells, in document order. */
  readonly cells: readonly number[];
}

/** Parses a number as C's `strtol` with base 0. */
function number(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^0[0-7]+$/.test(text) ? Number(`0o${text.slice(1)}`) : Number(text);
}

const child = (element: PlainElement, name: string) => element.children.find((c) => c.name === name);

function whereOf(element: PlainElement): Where | undefined {
  const { type, bus, slot, function: func } = child(element, 'address')?.attributes ?? {};
  if (type !== 'pci') return undefined;
  const at = { bus: number(bus) ?? 0, slot: number(slot) ?? 0, func: number(func) ?? 0 };
  return at.bus + at.slot + at.func === 0 ? undefined : at;
}

/** Reads a domain's text. */
export function readDomain(xml: string): Reading {
  const controllers: Controller[] = [];
  const devices: Device[] = [];
  const iommus: Iommu[] = [];
  const root = plainTree(xml);
  for (const element of child(root, 'devices')?.children ?? []) {
    const { attributes, name } = element;
    const at = whereOf(element);
    if (name === 'iommu') {
      const { pciBus, ...values } = child(element, 'driver')?.attributes ?? {};
      iommus.push({ bus: number(pciBus), values });
    } else if (name === 'controller' && attributes.type === 'pci') {
      const target = child(element, 'target')?.attributes ?? {};
      controllers.push({
        index: number(attributes.index) ?? -1,
        model: attributes.model ?? '',
        at,
        busNr: number(target.busNr),
        chassis: number(target.chassis),
        alias: child(element, 'alias')?.attributes.name ?? '',
      });
    } else {
      devices.push({
        element,
        at,
        bdf: hostAddress(element),
        unassigned: child(element, 'address')?.attributes.type === 'unassigned',
        iommufd: child(element, 'driver')?.attributes.iommufd,
      });
    }
  }
  const cpu = child(root, 'cpu');
  const numa = cpu && child(cpu, 'numa');
  return {
    controllers,
    devices,
    iommus,
    iommufd: child(root, 'iommufd')?.attributes.enabled,
    cells: (numa?.children ?? []).map(({ attributes }) => Number(attributes.id)),
  };
}

function hostAddress(element: PlainElement): string | undefined {
  const { type } = element.attributes;
  if (!(element.name === 'hostdev' && type === 'pci') && !(element.name === 'interface' && type === 'hostdev')) {
    return undefined;
  }
  const source = child(element, 'source');
  const { domain, bus, slot, function: func } = (source && child(source, 'address')?.attributes) ?? {};
  const hex = (text: string | undefined, digits: number) => (number(text) ?? 0).toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${hex(func, 1)}`;
}

const nameOf = ({ bus, slot, func }: Where) => `${bus}:${slot}.${func}`;
const isExpander = ({ model }: Controller) => model === 'pcie-expander-bus';
const isPort = ({ model }: Controller) => model === 'pcie-root-port' || model === 'pcie-switch-downstream-port';

/** Returns the expander bus above a bus, or 0 for `pcie.0`. libvirt adds a missing controller to `pcie.0`. */
function rootOf(bus: number, { controllers }: Reading): number {
  let index = bus;
  for (let depth = 0; depth < 300; depth++) {
    const controller = controllers.find((c) => c.index === index);
    if (!controller?.at || controller.index === 0) return controller && isExpander(controller) ? index : 0;
    if (isExpander(controller)) return index;
    index = controller.at.bus;
  }
  return 0;
}

/** Counts devices and controllers to which libvirt will assign an address. */
function homeless({ devices }: Reading): number {
  const wants = ({ element, at, bdf, unassigned }: Device) => {
    if (at || unassigned) return false;
    if (bdf !== undefined) return true;
    if (element.name === 'disk') return child(element, 'target')?.attributes.bus === 'virtio';
    return ['interface', 'rng', 'controller'].includes(element.name);
  };
  return devices.filter(wants).length;
}

function repeated(keys: readonly (string | number)[]): (string | number)[] {
  return [...new Set(keys.filter((key, i) => keys.indexOf(key) !== i))];
}

const highestIndex = ({ controllers, devices }: Reading): number =>
  Math.max(0, ...controllers.flatMap((c) => [c.index, c.at?.bus ?? 0]), ...devices.flatMap((d) => d.at?.bus ?? 0));

const occupied = ({ controllers, devices }: Reading): Where[] =>
  [...controllers, ...devices].flatMap(({ at }) => (at ? [at] : []));

/** Lists the errors of an output by itself, on which QEMU or the guest would fail. */
export function wrongWith(output: Reading, host: Host, target: Target = UPSTREAM): string[] {
  return [
    ...wrongNumbers(output),
    ...wrongBusNumbers(output),
    ...wrongIommus(output),
    ...wrongBehindVsmmus(output, host, target),
    ...wrongCells(output),
  ];
}

function wrongNumbers(output: Reading): string[] {
  const { controllers } = output;
  const at = occupied(output);
  return [
    ...repeated(at.map(nameOf)).map((key) => `two things at ${key}`),
    ...repeated(controllers.map((c) => c.index)).map((key) => `two controllers ${key}`),
    ...at.filter((w) => w.slot > 31 || w.func > 7 || w.bus > 255).map((w) => `no such place: ${nameOf(w)}`),
    ...controllers.filter((c) => c.index < 0 || c.index > 255).map((c) => `no such index: ${c.index}`),
    ...at.filter((w) => w.bus === 0 && w.slot === 0).map((w) => `${nameOf(w)} is the host bridge's slot`),
  ];
}

function wrongBusNumbers(output: Reading): string[] {
  const { controllers } = output;
  const wrong: string[] = [];
  const below = (root: number) =>
    controllers.filter((c) => c.index !== 0 && !isExpander(c) && rootOf(c.index, output) === root).length;
  const expanders = controllers.filter(isExpander);
  const numbered = expanders.flatMap(({ index, busNr }) =>
    busNr === undefined ? [] : [{ index, first: busNr, needs: 1 + below(index) }],
  );
  // An expander bus without a number gets the lowest number in use minus 2, in the order of indexes (libvirt 12.8).
  for (const { index, busNr } of expanders.toSorted((a, b) => a.index - b.index)) {
    if (busNr !== undefined) continue;
    numbered.push({ index, first: Math.min(256, ...numbered.map((w) => w.first)) - 2, needs: 1 + below(index) });
  }
  const windows = numbered.sort((a, b) => a.first - b.first);
  for (const [i, { index, first, needs }] of windows.entries()) {
    const end = windows[i + 1]?.first ?? 256;
    if (first < 1 || first > 254) wrong.push(`busNr ${first} of ${index}`);
    if (first + needs > end) wrong.push(`bus ${index} at ${first} needs ${needs} numbers and has ${end - first}`);
  }
  const indexes = new Set(controllers.map((c) => c.index));
  let gaps = 0;
  for (let index = 1; index <= highestIndex(output); index++) if (!indexes.has(index)) gaps++;
  const root = 1 + below(0) + gaps + homeless(output);
  const lowest = windows[0]?.first ?? 256;
  if (root > lowest) wrong.push(`pcie.0 needs ${root} bus numbers and has ${lowest}`);
  return wrong;
}

/** libvirt refuses gaps in the ids of cells; QEMU refuses a Generic Initiator with a missing cell. */
function wrongCells({ cells, devices }: Reading): string[] {
  const nodesets = devices.flatMap(({ element }) => child(element, 'acpi')?.attributes.nodeset ?? []);
  const named = nodesets.flatMap((set) => {
    const [first = 0, last = first] = set.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return [
    ...cells.filter((id, i) => id !== i).map((id) => `cell ${id} is out of order`),
    ...named.filter((id) => !cells.includes(id)).map((id) => `no cell ${id} for a Generic Initiator`),
    ...repeated(named).map((id) => `two devices have cell ${id}`),
  ];
}

function wrongIommus(reading: Reading): string[] {
  const { iommus, controllers, devices } = reading;
  const wrong: string[] = [];
  if (iommus.length > 16) wrong.push(`${iommus.length} SMMUs`);
  if (iommus.length > 1 && iommus.some((i) => i.bus === undefined)) wrong.push('an SMMU for the machine beside others');
  wrong.push(...repeated(iommus.map((i) => i.bus ?? 0)).map((bus) => `two SMMUs for bus ${bus}`));
  for (const { bus = 0 } of iommus) {
    const model = controllers.find((c) => c.index === bus)?.model;
    if (bus !== 0 && model !== 'pcie-expander-bus') wrong.push(`pciBus=${bus} is ${model}`);
  }
  const onRoot = devices.filter((d) => d.bdf !== undefined && !d.unassigned);
  const emulated = iommus.some((i) => (i.bus ?? 0) === 0);
  if (emulated && onRoot.some((d) => rootOf(d.at?.bus ?? 0, reading) === 0)) {
    wrong.push('a host device behind the emulated SMMU of pcie.0');
  }
  return wrong;
}

function wrongBehindVsmmus(output: Reading, host: Host, { qemu }: Target): string[] {
  const wrong: string[] = [];
  const onHost = (bdf: string) => host.topology.devices.find((d) => d.bdf === bdf);
  const rootOfDevice = (d: Device) => (d.at ? rootOf(d.at.bus, output) : 0);
  const translated = new Set(output.iommus.flatMap(({ bus = 0 }) => (bus === 0 ? [] : [bus])));

  for (const { bus = 0, values } of output.iommus) {
    if (bus === 0) continue;
    const behind = output.devices.filter((d) => rootOfDevice(d) === bus);
    if (values.accel !== 'on') {
      if (behind.some((d) => d.bdf !== undefined)) wrong.push(`the vSMMU of ${bus} is not accelerated`);
      continue;
    }
    if (behind.some((d) => d.bdf === undefined)) wrong.push(`an emulated device behind the vSMMU of ${bus}`);
    if (behind.some((d) => (d.iommufd ?? output.iommufd) !== 'yes'))
      wrong.push(`a device without iommufd behind the vSMMU of ${bus}`);
    if (new Set(behind.map((d) => onHost(d.bdf ?? '')?.smmu ?? null)).size > 1) wrong.push(`several SMMUs on ${bus}`);
    if (behind.some((d) => !onHost(d.bdf ?? '')?.smmu)) wrong.push(`a device without an SMMU behind that of ${bus}`);
    const auto = (['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const)
      .filter((name) => (name === 'ssidsize' ? ['ssidsize', 'ssidSize', 'pasid'] : [name]).every((n) => !values[n]))
      .filter((name) => qemu.vsmmu.has(name));
    const [owner] = behind.map((d) => onHost(d.bdf ?? '')?.smmu);
    const features = host.topology.smmus.find(({ name }) => name === owner)?.features ?? {};
    for (const [name, had] of Object.entries(features)) {
      const beyond = typeof had === 'number' ? Number(values[name] ?? 0) > had : !had && values[name] === 'on';
      if (beyond) wrong.push(`the vSMMU of ${bus} has ${name}=${values[name]}, and its SMMU ${had}`);
    }
    if (behind.length === 0 && auto.length > 0) wrong.push(`nothing to read off for ${bus}`);
  }

  for (const device of output.devices.filter((d) => d.bdf !== undefined && !d.unassigned)) {
    const group = onHost(device.bdf ?? '')?.group;
    const members = host.topology.devices.filter((d) => d.group === group);
    if (members.length > 1 && translated.has(rootOfDevice(device))) {
      wrong.push(`${device.bdf} is behind a vSMMU with ${members.length} members in its group`);
    }
  }
  return wrong;
}

/** Lists the errors of an output compared with its input: wrong moves and wrong numbers. */
export function wrongChanges(before: Reading, after: Reading, plan: Plan, host: Host, policy: Policy): string[] {
  const gone: readonly string[] = plan.orphaned.groupMembers;
  const left = { ...before, devices: before.devices.filter(({ bdf }) => !gone.includes(bdf ?? '')) };
  return [
    ...wrongNewControllers(before, after),
    ...wrongMoves(left, after, plan.groupMembers),
    ...wrongSlots(before, after),
    ...wrongVerdicts(after, plan, host, policy),
    ...exposedPorts(before, after, policy),
  ];
}

function wrongNewControllers(before: Reading, after: Reading): string[] {
  const wrong: string[] = [];
  const old = before.controllers;
  // A pcie-root exists even if the input does not contain it. The output contains it if it needs a pcihole64.
  const fresh = after.controllers.filter((c) => c.model !== 'pcie-root' && !old.some((o) => o.index === c.index));
  const indexes = fresh.map((c) => c.index).sort((a, b) => a - b);
  const first = highestIndex(before) + 1;
  if (indexes.some((index, i) => index !== first + i)) wrong.push(`new controllers ${indexes}, not from ${first} on`);
  for (const { index, model, at, busNr, chassis } of fresh) {
    if (!at) wrong.push(`the new controller ${index} has no address`);
    if (model === 'pcie-expander-bus' && busNr === undefined) wrong.push(`the new bus ${index} has no busNr`);
    if (model === 'pcie-root-port' && chassis === undefined) wrong.push(`the new port ${index} has no chassis`);
    if (!/^pcie-(?:expander-bus|root-port|switch-(?:up|down)stream-port)$/.test(model)) wrong.push(`a new ${model}`);
  }
  for (const was of old) {
    const is = after.controllers.find((c) => c.index === was.index);
    if (!is || is.model !== was.model || is.chassis !== was.chassis || is.alias !== was.alias) {
      wrong.push(`controller ${was.index} is another`);
    } else if (was.busNr !== undefined && is.busNr !== was.busNr) wrong.push(`busNr of ${was.index} changed`);
  }
  // libvirt uses the index of a port as its chassis if it has none (libvirt 12.8), also for ports that fill gaps.
  const chassisOf = (reading: Reading) => {
    const ports = reading.controllers.filter(isPort);
    const known = new Set(reading.controllers.map((c) => c.index));
    const added = Array.from({ length: highestIndex(reading) }, (_, i) => i + 1).filter((i) => !known.has(i));
    return [...ports.map((c) => c.chassis ?? c.index), ...added];
  };
  if (repeated(chassisOf(before)).length === 0) {
    wrong.push(...repeated(chassisOf(after)).map((chassis) => `two ports of chassis ${chassis}`));
  }
  return wrong;
}

/** Emulated devices and controllers stay, except a function that becomes 0 and devices behind an accelerated vSMMU. */
function wrongMoves(before: Reading, after: Reading, groupMembers: readonly string[]): string[] {
  const wrong: string[] = [];
  const hadZero = new Set(occupied(before).flatMap((w) => (w.func === 0 ? [`${w.bus}:${w.slot}`] : [])));
  const leftZero = (from: Where) => {
    const zero = [...before.devices].find(
      (d) => d.at?.bus === from.bus && d.at.slot === from.slot && d.at.func === 0 && d.bdf !== undefined,
    );
    const now = zero && after.devices.find((d) => d.bdf === zero.bdf)?.at;
    return hadZero.has(`${from.bus}:${from.slot}`) && now && (now.bus !== from.bus || now.slot !== from.slot);
  };
  const wasTranslated = new Set(
    before.iommus.flatMap(({ bus, values }) => (values.accel === 'on' && bus ? [bus] : [])),
  );
  const check = (name: string, from: Where | undefined, to: Where | undefined) => {
    if ((from && nameOf(from)) === (to && nameOf(to))) return;
    const became0 = from && to && to.func === 0 && to.bus === from.bus && to.slot === from.slot && leftZero(from);
    const returned = from && to && wasTranslated.has(rootOf(from.bus, before)) && rootOf(to.bus, after) === 0;
    if (!became0 && !returned) wrong.push(`${name} moved from ${from && nameOf(from)} to ${to && nameOf(to)}`);
  };
  const stayed = after.devices.filter((d) => !groupMembers.includes(d.bdf ?? ''));
  if (before.devices.length !== stayed.length) return ['devices came or went'];
  for (const [i, { element, bdf, at }] of before.devices.entries()) {
    if (bdf === undefined) check(element.name, at, stayed[i]?.at);
  }
  for (const { index, at } of before.controllers) {
    check(`controller ${index}`, at, after.controllers.find((c) => c.index === index)?.at);
  }
  return wrong;
}

function wrongSlots(before: Reading, after: Reading): string[] {
  const wrong: string[] = [];
  const slotsOf = (reading: Reading) => {
    const slots = new Map<string, number[]>();
    for (const { bus, slot, func } of occupied(reading)) {
      slots.set(`${bus}:${slot}`, [...(slots.get(`${bus}:${slot}`) ?? []), func]);
    }
    return slots;
  };
  const old = slotsOf(before);
  for (const [slot, functions] of slotsOf(after)) {
    const had = old.get(slot);
    if (!functions.includes(0) && (had === undefined || had.includes(0)))
      wrong.push(`slot ${slot} lost its function 0`);
  }
  // By host address, not by position: members of a device's group are added and removed with it.
  const wasAt = (bdf: string) => before.devices.find((d) => d.bdf === bdf)?.at;
  for (const { bdf, at } of after.devices) {
    if (bdf === undefined || !at) continue;
    const was = wasAt(bdf);
    if (was && nameOf(was) === nameOf(at)) continue;
    const bus = after.controllers.find((c) => c.index === at.bus);
    const stayed = was && was.bus === at.bus && was.slot === at.slot;
    if (!stayed && !(bus && isPort(bus) && at.slot === 0)) wrong.push(`${bdf} moved to ${nameOf(at)}, on no port`);
  }
  // Functions of one slot whose SMMU is the same stay together, with their function numbers.
  for (const [i, a] of after.devices.entries()) {
    for (const b of after.devices.slice(i + 1)) {
      const [fromA, fromB] = [wasAt(a.bdf ?? ''), wasAt(b.bdf ?? '')];
      if (!fromA || !fromB || !a.at || !b.at || fromA.bus !== fromB.bus || fromA.slot !== fromB.slot) continue;
      const moved = (from: Where, to: Where) => from.bus !== to.bus || from.slot !== to.slot;
      if (!moved(fromA, a.at) || !moved(fromB, b.at)) continue;
      const same = rootOf(a.at.bus, after) === rootOf(b.at.bus, after);
      if (same && a.at.bus !== b.at.bus) wrong.push(`${a.bdf} and ${b.bdf} shared a slot and were parted`);
      if (same && fromA.func < fromB.func !== a.at.func < b.at.func) wrong.push(`${a.bdf} and ${b.bdf} changed order`);
    }
  }
  // If a slot has more than one function, function 0 has multifunction="on".
  for (const { at, element } of after.devices) {
    if (at?.func !== 0 || (old.get(`${at.bus}:${at.slot}`)?.length ?? 0) > 1) continue;
    const others = occupied(after).filter((w) => w.bus === at.bus && w.slot === at.slot).length;
    const says = child(element, 'address')?.attributes.multifunction === 'on';
    if (others > 1 && !says) wrong.push(`function 0 at ${nameOf(at)} does not say multifunction`);
  }
  return wrong;
}

/** With `completeGroups`, the domain has every endpoint in the group of its devices that is bound to a host driver. */
function incompleteGroups(all: readonly Device[], host: Host, policy: Policy): string[] {
  if (!policy.completeGroups) return [];
  const has = new Set(all.map((d) => d.bdf));
  const onHost = host.topology.devices;
  const given = all.flatMap((d) => (d.unassigned ? [] : onHost.filter(({ bdf }) => bdf === d.bdf)));
  const groups = new Set(given.flatMap(({ group }) => group ?? []));
  const held = onHost.filter((d) => !d.bridge && !d.vfio && d.driver !== null && groups.has(d.group ?? -1));
  return held.flatMap(({ bdf }) => (has.has(bdf) ? [] : [`${bdf} is held by a host driver and not in the domain`]));
}

/** Checks the verdict of the plan for each device against the output, the host and the policy. */
function wrongVerdicts(after: Reading, plan: Plan, host: Host, policy: Policy): string[] {
  const wrong: string[] = [];
  const groupMembers: readonly string[] = plan.groupMembers;
  const all = after.devices.filter((d) => d.bdf !== undefined);
  const given = all.filter((d) => !groupMembers.includes(d.bdf ?? ''));
  const added = all.filter((d) => groupMembers.includes(d.bdf ?? '') && d.unassigned);
  if (added.map((d) => d.bdf).join() !== groupMembers.join()) wrong.push('other group members than the plan has');
  wrong.push(...incompleteGroups(all, host, policy));
  const staying = plan.devices.filter(({ bdf }) => !plan.orphaned.groupMembers.includes(bdf));
  if (staying.map((d) => d.bdf).join() !== given.map((d) => d.bdf).join()) return ['other devices in the plan'];
  const expanderBuses = new Map<number, (typeof plan.expanderBuses)[number]>(
    plan.expanderBuses.map((b) => [b.controllerIndex, b]),
  );
  for (const [i, planned] of staying.entries()) {
    const { at, iommufd, unassigned } = given[i] as Device;
    const to = planned.to && { bus: planned.to.bus, slot: planned.to.slot, func: planned.to.function };
    if ((to ? nameOf(to) : undefined) !== (at && nameOf(at))) wrong.push(`${planned.bdf} is not where the plan says`);
    if ((planned.iommufd ?? undefined) !== iommufd) wrong.push(`${planned.bdf} has not the iommufd of the plan`);
    const own = host.topology.devices.find((d) => d.bdf === planned.bdf);
    const members = host.topology.devices.filter(({ group }) => group === own?.group);
    const placeable =
      own?.smmu != null &&
      own.group !== null &&
      !unassigned &&
      !policy.bypass.some((bdf) => bdf === planned.bdf) &&
      members.length === 1;
    if ((planned.verdict === 'placed') !== placeable) wrong.push(`${planned.bdf} is ${planned.verdict}`);
    const root = at ? rootOf(at.bus, after) : 0;
    const behind = after.iommus.some((iommu) => iommu.bus === root && root !== 0);
    if (behind !== placeable) wrong.push(`${planned.bdf} is ${behind ? '' : 'not '}behind a vSMMU`);
    if (behind && expanderBuses.get(root)?.smmu !== own?.smmu)
      wrong.push(`${planned.bdf} is on another SMMU's expander bus`);
  }
  for (const { controllerIndex, busNr, smmu, ports } of plan.expanderBuses) {
    const expanderBus = after.controllers.find((c) => c.index === controllerIndex);
    if (expanderBus?.busNr !== undefined && expanderBus.busNr !== busNr) wrong.push(`the plan has busNr ${busNr}`);
    const short = /^ua-vsmmu-smmu-([0-9a-f]+)-/.exec(expanderBus?.alias ?? '')?.[1];
    if (short !== undefined && !smmu.endsWith(short)) wrong.push(`${expanderBus?.alias} serves ${smmu}`);
    for (const port of ports) {
      const there = given.filter((d) => d.at?.bus === port.controllerIndex).map((d) => d.bdf);
      if (there.toSorted().join() !== port.devices.toSorted().join()) {
        wrong.push(`port ${port.controllerIndex} has ${there}, not ${port.devices}`);
      }
    }
  }
  if (policy.expanderBuses === 'all' && plan.expanderBuses.length > 0) {
    const served = new Set(after.iommus.flatMap((i) => expanderBuses.get(i.bus ?? 0)?.smmu ?? []));
    if (served.size !== host.smmus.length)
      wrong.push(`expander buses for ${served.size} of ${host.smmus.length} SMMUs`);
  }
  if (policy.grouping === 'device') {
    for (const expanderBus of plan.expanderBuses.filter((b) => !b.kept)) {
      const slots = expanderBus.ports.filter((p) => p.devices.length > 0).length;
      if (slots > 1) wrong.push(`${slots} device slots on the expander bus ${expanderBus.controllerIndex}`);
    }
  }
  return wrong;
}

/** Ports behind vSMMUs on which libvirt would put anything but a host device of that SMMU. */
function exposedPorts(before: Reading, after: Reading, policy: Policy): string[] {
  const free = (reading: Reading) => {
    const used = new Set(occupied(reading).map((w) => w.bus));
    return reading.controllers
      .filter((c) => isPort(c) && !used.has(c.index))
      .map((c) => ({ index: c.index, root: rootOf(c.index, reading) }))
      .sort((a, b) => a.index - b.index);
  };
  const translated = new Set(after.iommus.filter((i) => i.values.accel === 'on').map((i) => i.bus ?? 0));
  const isSpare = ({ root }: { root: number }) => root !== 0 && translated.has(root);
  const wrong: string[] = [];
  const ports = free(after);
  const first = ports.slice(0, homeless(after)).find(isSpare);
  if (first) wrong.push(`libvirt would fill the spare port ${first.index}`);
  const known = new Set(before.controllers.map((c) => c.index));
  const spare = ports.filter(isSpare);
  const added = spare.filter((p) => !known.has(p.index));
  const guards = ports.filter((p) => p.root === 0 && p.index < (added[0]?.index ?? 0));
  if (guards.length < added.length) wrong.push(`${guards.length} free ports guard ${added.length} new spare ones`);
  if (added.length > 0 && policy.sparePorts === 0) wrong.push('spare ports that nobody asked for');
  return wrong;
}

/** Lines of the input that no rule changes and that are missing in the output, in order. */
export function lostLines(input: string, output: string): string[] {
  const touched = /<(?:domain|address|driver|rom|\/?iommu|pcihole64|qemu:property|\/?vsmmu:\w+)\b/;
  const lines = output.split('\n');
  let at = 0;
  return input.split('\n').filter((line) => {
    if (touched.test(line)) return false;
    // An element that was empty and gets a child keeps its start tag.
    const opened = line.replace(/ *\/>/, '>');
    const found = lines.findIndex((other, i) => i >= at && (other === line || other === opened));
    if (found < 0) return true;
    at = found + 1;
    return false;
  });
}
