import { deviceUnassigned } from '../diagnostics/devices.js';
import { count } from '../diagnostics/words.js';
import { type Bdf, hex } from '../domain/address.js';
import type { Device, ExpanderBus, Plan, Port } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import { classInWords } from '../host/class-names.js';
import type { Host } from '../host/host.js';
import { format as dot } from './formats/dot.js';
import { format as svg } from './formats/svg.js';
import type { Card, Cell, Line, Picture, Row, Side } from './picture/cards.js';
import { colour, hue } from './picture/colours.js';
import { type GuestView, guestAddresses } from './predict.js';
import { whyBypassed } from './reasons.js';

/** Optional details of a picture of a plan. */
export interface PictureDetails {
  /** The domain's name. */
  readonly name?: string;
  /** The prediction of the guest; if given, its addresses are shown. */
  readonly guest?: GuestView;
}

/** The titles of the cards that do not stand for an SMMU. */
const NO_SMMU = 'behind no SMMU';
const ROOT = 'pcie.0';

/** Returns the picture of a plan: the host's SMMUs and devices, the guest's expander buses and ports, and a line per device. */
export function picturePlan(plan: Plan, host: Host, details: PictureDetails = {}): Picture {
  const { sides, lines } = new PlanPicture(plan, host, details);
  return { title: titleOf(details), sides, lines };
}

/** Draws the picture of a plan in Graphviz DOT. */
export function planDot(plan: Plan, host: Host, details: PictureDetails = {}): string {
  return dot.draw(picturePlan(plan, host, details));
}

/**
 * Draws a plan as SVG, with light and dark colours. The SVG can be a file, or can be put into an HTML page unchanged. Text
 * from the domain is escaped.
 */
export function drawPlan(plan: Plan, host: Host, details: PictureDetails = {}): string {
  return svg.draw(picturePlan(plan, host, details));
}

function titleOf({ name = '' }: PictureDetails): string {
  return name === '' ? 'Host devices and vSMMUs' : `Host devices and vSMMUs of ${name}`;
}

class PlanPicture {
  readonly #plan: Plan;
  readonly #host: Host;
  readonly #details: PictureDetails;
  readonly #devices: ReadonlyMap<Bdf, Device>;
  readonly #hues: ReadonlyMap<string, string>;
  readonly #guestAddresses: ReadonlyMap<Bdf, Bdf> | undefined;

  constructor(plan: Plan, host: Host, details: PictureDetails) {
    this.#plan = plan;
    this.#host = host;
    this.#details = details;
    this.#devices = new Map(plan.devices.map((device) => [device.bdf, device]));
    this.#guestAddresses = details.guest && guestAddresses(details.guest);
    this.#hues = new Map(host.smmus.map(({ name }, n) => [name, hue(n)]));
  }

  get sides(): [Side, Side] {
    const { name = '' } = this.#details;
    return [
      { name: 'host', title: 'Host', cards: this.#hostCards() },
      { name: 'guest', title: name === '' ? 'Guest' : `Guest ${name}`, cards: this.#guestCards() },
    ];
  }

  get lines(): Line[] {
    const placed = this.#plan.expanderBuses.flatMap((expanderBus) =>
      expanderBus.ports.flatMap((port) =>
        port.devices.map((bdf): Line => {
          return {
            from: this.#source(bdf),
            to: [cardOf(expanderBus), rowOf(bdf)],
            colour: this.#hue(expanderBus.smmu),
          };
        }),
      ),
    );
    const bypassed = this.#bypassed.map(({ bdf }): Line => {
      return { from: this.#source(bdf), to: [ROOT, rowOf(bdf)], colour: colour('faint'), dashed: true };
    });
    return [...placed, ...bypassed];
  }

  /** The devices that are in the guest but behind no vSMMU. */
  get #bypassed(): readonly Device[] {
    return this.#plan.devices.filter(
      ({ verdict, reason }) => verdict === 'bypassed' && reason !== deviceUnassigned.code,
    );
  }

  #hue(smmu: string): string {
    return this.#hues.get(smmu) ?? colour('ink');
  }

  /** Returns the row at which a device's line begins. */
  #source(bdf: Bdf): [card: string, row: string] {
    return [this.#devices.get(bdf)?.smmu ?? NO_SMMU, rowOf(bdf)];
  }

  #hostCards(): Card[] {
    const cards = this.#host.smmus.map(({ name }): Card => {
      const node = this.#host.smmuNode(name);
      const title: Cell[] = [{ text: name, bold: true }];
      if (node !== null) title.push({ text: `node ${node}`, colour: 'faint' });
      const rows = this.#hostRows(this.#host.endpointsBehind(name));
      return { name, head: [{ cells: title }], rows, colour: this.#hue(name) };
    });
    const without = this.#plan.devices.filter(({ smmu }) => smmu === null);
    if (without.length > 0) {
      const there = without.flatMap(({ bdf }) => this.#host.device(bdf) ?? []);
      const missing = without
        .filter(({ bdf }) => !this.#host.device(bdf))
        .map(({ bdf }): Row => {
          return {
            name: rowOf(bdf),
            cells: [{ text: bdf, mono: true }, { text: '' }, { text: 'not on this host', colour: 'warn' }],
          };
        });
      const head: Row[] = [{ cells: [{ text: 'behind no SMMUv3', bold: true }] }];
      cards.push({ name: NO_SMMU, head, rows: [...this.#hostRows(there), ...missing], colour: colour('faint') });
    }
    return cards;
  }

  /** Returns a row per device of the domain, and a row with the number of other devices. */
  #hostRows(devices: readonly PciDevice[]): Row[] {
    const own = devices.filter(({ bdf }) => this.#devices.has(bdf));
    const others = devices.length - own.length;
    const rows = own.map(({ bdf, class: code, group }): Row => {
      const shared = this.#plan.devices.some((mate) => mate.bdf !== bdf && mate.group === group && group !== null);
      return {
        name: rowOf(bdf),
        cells: [
          { text: bdf, mono: true },
          { text: classInWords(code) },
          { text: group === null ? 'no group' : `group ${group}`, colour: shared ? 'warn' : 'faint' },
        ],
      };
    });
    if (others > 0) {
      const more = own.length === 0 ? count(others, 'device') : `and ${others} more`;
      rows.push({ cells: [{ text: `${more}, not in this domain`, colour: 'faint' }] });
    }
    return rows;
  }

  #guestCards(): Card[] {
    const cards = this.#plan.expanderBuses.map((expanderBus): Card => {
      const last = expanderBus.busNr + expanderBus.busNumbers - 1;
      const where = [
        expanderBus.busNumbers === 1 ? `bus ${hex(last)}` : `buses ${hex(expanderBus.busNr)}-${hex(last)}`,
        ...(expanderBus.node === null ? [] : [`cell ${expanderBus.node}`]),
      ];
      return {
        name: cardOf(expanderBus),
        head: [
          {
            cells: [
              { text: cardOf(expanderBus), bold: true },
              { text: where.join(', '), colour: 'faint' },
            ],
          },
          { cells: [{ text: vsmmuInWords(expanderBus) }] },
        ],
        rows: expanderBus.ports.flatMap((port) => this.#portRows(port, expanderBus)),
        colour: this.#hue(expanderBus.smmu),
      };
    });
    const bypassed = this.#bypassed;
    if (bypassed.length > 0) {
      const rows = bypassed.map((device): Row => {
        return {
          name: rowOf(device.bdf),
          cells: [this.#address(device.bdf), { text: whyBypassed(device), colour: 'faint' }],
        };
      });
      const head: Row[] = [
        {
          cells: [
            { text: ROOT, bold: true },
            { text: 'behind no vSMMU', colour: 'faint' },
          ],
        },
      ];
      cards.push({ name: ROOT, head, rows, colour: colour('faint') });
    }
    if (cards.length === 0) {
      cards.push({ name: ROOT, head: [{ cells: [{ text: 'no host device' }] }], rows: [], colour: colour('faint') });
    }
    return cards;
  }

  #portRows(port: Port, expanderBus: ExpanderBus): Row[] {
    const title = `${PORT_NAMES[port.model]} ${port.controllerIndex}`;
    const below = expanderBus.ports.some(({ address }) => address.bus === port.controllerIndex);
    if (port.devices.length === 0) {
      return [{ cells: [{ text: title }, { text: below ? '' : 'free', colour: 'faint' }] }];
    }
    return port.devices.map((bdf, i) => {
      return { name: rowOf(bdf), cells: [{ text: i === 0 ? title : '' }, this.#address(bdf)] };
    });
  }

  /** Returns a cell with the address of a device in the guest. */
  #address(bdf: Bdf): Cell {
    return { text: this.#guestAddresses?.get(bdf) ?? '', mono: true };
  }
}

/** The names of ports, indented by their depth below the expander bus. */
const PORT_NAMES: Readonly<Record<Port['model'], string>> = {
  'pcie-root-port': 'port',
  'pcie-switch-upstream-port': '\u00a0\u00a0switch',
  'pcie-switch-downstream-port': '\u00a0\u00a0\u00a0\u00a0port',
};

function cardOf({ controllerIndex }: ExpanderBus): string {
  return `expander bus ${controllerIndex}`;
}

/**
 * Returns the name of a device's row, which is the same on every card. DOT allows no colons and dots in the name of a port.
 */
function rowOf(bdf: Bdf): string {
  return `d${bdf.replace(/[^0-9a-f]/g, '')}`;
}

/** Describes the vSMMU of an expander bus: `vSMMU accel ats ril=off`, or `no vSMMU`. */
function vsmmuInWords({ vsmmu }: ExpanderBus): string {
  const values = Object.entries(vsmmu).map(([name, value]) => (value === 'on' ? name : `${name}=${value}`));
  return values.length === 0 ? 'no vSMMU' : `vSMMU ${values.join(' ')}`;
}
