import type { Random } from './random.js';
import { type Controller, type Guest, guestOf } from './reader.js';

/** Simulates what libvirt 12.8 does with a domain, as far as vsmmu relies on it. */

/** Whether a controller has exactly one slot. */
export const isPort = ({ model }: Controller): boolean =>
  model === 'pcie-root-port' || model === 'pcie-switch-downstream-port';

/** The controllers that a device or another controller is on. */
export function takenBuses({ controllers, devices }: Guest): Set<number> {
  return new Set([...controllers.values(), ...devices].flatMap(({ address }) => (address ? [address.bus] : [])));
}

/** The root bus that a bus is below: an expander bus, or 0. */
export function rootOf(guest: Guest, bus: number): number {
  const controller = guest.controllers.get(bus);
  if (!controller || controller.index === 0) return 0;
  return controller.model === 'pcie-expander-bus' ? controller.index : rootOf(guest, controller.address?.bus ?? 0);
}

const hex = (n: number): string => `0x${n.toString(16).padStart(2, '0')}`;
const addressText = (bus: number, slot: number, func = 0): string =>
  `<address type='pci' domain='0x0000' bus='${hex(bus)}' slot='${hex(slot)}' function='0x${func}'/>`;

/** Matches the alias of a device, after which an element can be inserted. */
const aliasOf = (alias: string): RegExp => new RegExp(`<alias name=['"]${alias}['"]/>`);

/**
 * Defines a domain: adds a root port for each missing index, and gives each device without an address the free port with the
 * lowest index, or a new one. The devices of the judge's domains have aliases.
 */
export function define(xml: string): string {
  const guest = guestOf(xml);
  const taken = takenBuses(guest);
  const slots = new Set(
    [...guest.controllers.values(), ...guest.devices].flatMap(({ address: a }) => (a?.bus === 0 ? [a.slot] : [])),
  );
  const highest = Math.max(0, ...guest.controllers.keys(), ...taken);
  const added: string[] = [];
  const free = [...guest.controllers.values()]
    .filter((port) => isPort(port) && !port.reserved && !taken.has(port.index))
    .map(({ index }) => index);
  let func = 8;
  let slot = 0;
  const addPort = (index: number): void => {
    if (func === 8) {
      for (slot++; slots.has(slot); slot++);
      func = 0;
    }
    const location = addressText(0, slot, func).replace('/>', func === 0 ? " multifunction='on'/>" : '/>');
    added.push(`<controller type='pci' index='${index}' model='pcie-root-port'>${location}</controller>`);
    func++;
  };
  for (let index = 1; index <= highest; index++) {
    if (guest.controllers.has(index)) continue;
    addPort(index);
    if (!taken.has(index)) free.push(index);
  }
  free.sort((a, b) => a - b);
  let next = highest;
  let text = xml;
  for (const { alias, needsAddress } of guest.devices) {
    if (!needsAddress || alias === undefined) continue;
    let bus = free.shift();
    if (bus === undefined) {
      bus = ++next;
      addPort(bus);
    }
    text = text.replace(aliasOf(alias), (found) => found + addressText(bus, 0));
  }
  return added.length === 0 ? text : text.replace('</devices>', `${added.join('\n')}\n  </devices>`);
}

/** Adds a device without an address, as `virsh attach-device --config` does. */
export function attach(xml: string, element: string): string {
  return define(xml.replace('</devices>', `${element}\n  </devices>`));
}

/** Removes the device with an alias. */
export function detach(xml: string, alias: string): string {
  const names = 'hostdev|interface|rng|disk|memballoon';
  return xml.replace(
    new RegExp(
      `\\s*<(${names})\\b(?:(?!</?\\1\\b)[\\s\\S])*?<alias name=['"]${alias}['"]/>(?:(?!<\\1\\b)[\\s\\S])*?</\\1>`,
    ),
    '',
  );
}

/** The element of a host device, without an address. */
export function hostdevOf(bdf: string, alias: string): string {
  const [domain = '', bus = '', slot = '', func = ''] = bdf.split(/[:.]/);
  const source = `<source><address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${func}'/></source>`;
  return `    <hostdev mode='subsystem' type='pci' managed='yes'>${source}<alias name='${alias}'/></hostdev>`;
}

/** Returns a domain in which random devices were attached and detached. */
export function withDeviceChanges(xml: string, endpoints: readonly string[], random: Random): string {
  const { devices } = guestOf(xml);
  const hostDevices = devices.filter(({ bdf, alias }) => bdf !== undefined && alias !== undefined);
  let text = xml;
  for (const { alias = '' } of random.some(hostDevices, random.int(0, Math.min(2, hostDevices.length)))) {
    text = detach(text, alias);
  }
  const present = new Set(guestOf(text).devices.flatMap(({ bdf }) => bdf ?? []));
  const others = endpoints.filter((bdf) => !present.has(bdf));
  for (const [n, bdf] of random.some(others, random.int(0, Math.min(2, others.length))).entries()) {
    const element = hostdevOf(bdf, `ua-d${100 + n}`);
    // The user edits the file, or libvirt attaches the device.
    text = random.chance(0.5) ? attach(text, element) : text.replace('</devices>', `${element}\n  </devices>`);
  }
  for (let n = random.int(0, 2); n > 0; n--) {
    text = attach(
      text,
      `    <rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-d${200 + n}'/></rng>`,
    );
  }
  return text;
}
