import type { Bdf } from '../../domain/address.js';
import { formatSize } from '../../domain/size.js';
import type { Device, ExpanderBus, Plan, Port } from '../../generated/plan.js';
import type { PciDevice } from '../../generated/topology.js';
import { guestAddresses } from '../../guest/predict.js';
import { whyBypassed } from '../../guest/reasons.js';
import { classInWords } from '../../host/class-names.js';
import { BUS_NUMBERS } from '../../plan/bus-numbers.js';
import { renderConsequences } from './consequences.js';
import type { PlanView } from './plan-view.js';
import { colours, paragraph, section, WIDTH } from './typeset.js';

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/**
 * Renders a plan as text, 80 columns wide: where each device is placed and why, which devices stay, who uses bus
 * numbers, what the guest will notice, and what the domain can no longer do.
 */
export function renderPlan(plan: Plan, view: PlanView): string {
  const { yellow } = colours();
  const parts = [
    paragraph(summary(plan, view.name), ''),
    section('Behind a vSMMU', new ExpanderBusTable(plan, view).render()),
    section('Behind no vSMMU', renderBypassed(plan, view)),
    section('Bus numbers', renderLedger(plan)),
    renderConsequences(plan, view),
    view.after.complete
      ? ''
      : `\n${yellow('Not final')}\n${paragraph('libvirt has yet to choose addresses, so the addresses below pcie.0 may still change.')}`,
  ];
  return parts.join('');
}

function summary({ devices, expanderBuses, changed }: Plan, name: string): string {
  const placed = devices.filter(({ verdict }) => verdict === 'placed').length;
  const domain = name === '' ? 'The domain' : name;
  const outcome = changed ? 'the domain changes' : 'nothing to change';
  if (devices.length === 0) return `${domain}: no host devices; ${outcome}.`;
  const used = expanderBuses.filter(({ ports }) => ports.some((port) => port.devices.length > 0)).length;
  const behind = placed === 0 ? 'behind no vSMMU' : `behind ${used} vSMMU${used === 1 ? '' : 's'}`;
  const number = placed === 0 ? `${devices.length}` : `${placed} of ${devices.length}`;
  return `${domain}: ${number} host device${devices.length === 1 ? '' : 's'} ${behind}; ${outcome}.`;
}

/** Renders the expander buses with their ports and devices, in columns. */
class ExpanderBusTable {
  readonly #plan: Plan;
  readonly #view: PlanView;
  readonly #was: ReadonlyMap<Bdf, Bdf>;
  readonly #is: ReadonlyMap<Bdf, Bdf>;
  readonly #portWidth: number;
  readonly #kindWidth: number;

  constructor(plan: Plan, view: PlanView) {
    this.#plan = plan;
    this.#view = view;
    this.#was = guestAddresses(view.before);
    this.#is = guestAddresses(view.after);
    const ports = plan.expanderBuses.flatMap((expanderBus) => expanderBus.ports);
    this.#portWidth = Math.max(0, ...ports.map((port) => portName(port).length));
    this.#kindWidth = Math.max(0, ...plan.devices.map(({ bdf }) => this.#kind(bdf).length));
  }

  render(): string {
    const { expanderBuses } = this.#plan;
    if (expanderBuses.length === 0) return '';
    const why = 'Each device is on an expander bus for its own SMMU.';
    return paragraph(why) + expanderBuses.map((expanderBus) => this.#expanderBus(expanderBus)).join('');
  }

  #expanderBus(expanderBus: ExpanderBus): string {
    const { dim, cyan } = colours();
    const { smmu, controllerIndex, busNr, busNumbers, kept, node, ports } = expanderBus;
    const buses = busNumbers === 1 ? `bus ${hex(busNr)}` : `buses ${hex(busNr)}-${hex(busNr + busNumbers - 1)}`;
    const state = kept ? 'kept' : 'new';
    const cell = node === null ? '' : `, NUMA cell ${node}`;
    return [
      `  ${cyan(smmu)}: expander bus ${controllerIndex}, ${state}, ${buses}${cell}\n`,
      `    ${dim(vsmmuInWords(expanderBus))}\n`,
      ...ports.map((port) => this.#port(port, ports)),
    ].join('');
  }

  #port(port: Port, all: readonly Port[]): string {
    const title = `    ${portName(port).padEnd(this.#portWidth)}  `;
    const blank = ' '.repeat(title.length);
    if (port.devices.length === 0) return `${title}${emptyLabel(port, all)}\n`;
    return port.devices.map((bdf, i) => `${i === 0 ? title : blank}${this.#device(bdf)}\n`).join('');
  }

  #device(bdf: Bdf): string {
    const [from = 'no address', to = 'no address'] = [this.#was.get(bdf), this.#is.get(bdf)];
    return `${bdf}  ${this.#kind(bdf).padEnd(this.#kindWidth)}  ${from === to ? to : `${from} -> ${to}`}`;
  }

  #kind(bdf: Bdf): string {
    return kindOf(this.#view.host.device(bdf));
  }
}

function kindOf(device: PciDevice | undefined): string {
  return device ? classInWords(device.class) : '';
}

function portName({ model, controllerIndex }: Port): string {
  return `${model === 'pcie-switch-upstream-port' ? 'switch' : 'port'} ${controllerIndex}`;
}

function vsmmuInWords({ vsmmu, vsmmuChange }: ExpanderBus): string {
  const values = Object.entries(vsmmu).map(([name, value]) => `${name}=${value}`);
  if (values.length > 0) return `vSMMU ${values.join(' ')}`;
  return vsmmuChange === 'remove'
    ? 'its vSMMU is removed, because no device is behind it'
    : 'no vSMMU, because no device is behind it';
}

function emptyLabel({ controllerIndex, reserve }: Port, all: readonly Port[]): string {
  const below = all.filter((port) => port.address.bus === controllerIndex).map((port) => port.controllerIndex);
  if (below.length > 0) return `leads to ${below.join(', ')}`;
  return reserve === 0 ? 'free' : `free, reserves ${formatSize(reserve)} for 64-bit BARs`;
}

function renderBypassed({ devices, groupMembers }: Plan, { host, before, after }: PlanView): string {
  const [was, is] = [guestAddresses(before), guestAddresses(after)];
  const bypassed = devices.filter(({ verdict }) => verdict === 'bypassed');
  const kinds = Math.max(0, ...bypassed.map(({ bdf }) => kindOf(host.device(bdf)).length));
  const line = (device: Device): string => {
    const { bdf } = device;
    const [from, to = '-'] = [was.get(bdf), is.get(bdf)];
    const move = from === undefined || from === to ? to : `${from} -> ${to}`;
    const place = `  ${bdf}  ${kindOf(host.device(bdf)).padEnd(kinds)}  ${move}`;
    const why = whyBypassed(device);
    return place.length + 2 + why.length <= WIDTH ? `${place}  ${why}\n` : `${place}\n    ${why}\n`;
  };
  const hidden = groupMembers.map((bdf) => `  ${bdf}  unassigned, for its IOMMU group; not visible to the guest\n`);
  return [...bypassed.map(line), ...hidden].join('');
}

/** Renders how many bus numbers each consumer uses, and how many are free. */
function renderLedger({ busNumbers }: Plan): string {
  if (busNumbers.length === 0) return '';
  const free = BUS_NUMBERS - busNumbers.reduce((sum, { count }) => sum + count, 0);
  return [...busNumbers, { consumer: 'free', count: free }]
    .map(({ consumer, count }) => `  ${String(count).padStart(3)}  ${consumer}\n`)
    .join('');
}
