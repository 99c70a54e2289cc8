import { countByClass, explainObstacle } from '../../doctor/assessment.js';
import { groupBy } from '../../group-by.js';
import type { FleetHost } from '../fleet.js';
import { item, section } from './typeset.js';

/** The largest number of hosts that a line of the summary names; it counts the others. */
const NAMED = 8;

/** Devices that cannot be placed, on one host or several. */
export interface FleetFinding {
  /** What to do about it, or the reason if no remedy is known. */
  readonly what: string;
  readonly devices: string;
  readonly hosts: string;
}

/** Renders a row per host, the remedies, and the reasons without a known remedy. */
export function renderFleet(fleet: readonly FleetHost[]): string {
  const rows = [['host', 'SMMUs', 'placeable', ''], ...fleet.map(rowOf)];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const { fixable, others } = findingsOf(fleet);
  const list = (findings: readonly FleetFinding[]) =>
    findings.map(({ what, devices, hosts }) => item(`${what}: ${devices} (${hosts})`, '  ')).join('');
  return `${table.join('\n')}\n${section('Firmware settings that could make more devices placeable', list(fixable))}${section('Not placeable, without a known remedy', list(others))}`;
}

/** Returns the cells of a host's row: its name, its SMMUs, how many devices can be placed, and which. */
export function rowOf({ name, host, assessment: { devices, placeable } }: FleetHost): readonly string[] {
  const smmus = host.smmus.length === 0 ? '-' : String(host.smmus.length);
  return [name, smmus, `${placeable.length} of ${devices.length}`, countByClass(placeable)];
}

/** Returns the devices that a remedy could make placeable, and the others. Equal findings of several hosts are one finding. */
export function findingsOf(fleet: readonly FleetHost[]): {
  readonly fixable: readonly FleetFinding[];
  readonly others: readonly FleetFinding[];
} {
  const found = fleet.flatMap(({ name, assessment }) =>
    assessment.obstacles.map((obstacle) => {
      const { why, remedy } = explainObstacle(obstacle);
      return { name, hasRemedy: remedy !== null, what: remedy ?? why, devices: countByClass(obstacle.devices) };
    }),
  );
  const merged = (hasRemedy: boolean) => {
    const some = found.filter((each) => each.hasRemedy === hasRemedy);
    return [...groupBy(some, ({ what, devices }) => `${what}: ${devices}`).values()].flatMap((equal) =>
      equal.slice(0, 1).map(({ what, devices }) => ({ what, devices, hosts: hostsInWords(equal) })),
    );
  };
  return { fixable: merged(true), others: merged(false) };
}

function hostsInWords(found: readonly { readonly name: string }[]): string {
  const names = [...groupBy(found, ({ name }) => name)].map(([name, { length }]) =>
    length > 1 ? `${name}, ${length} times` : name,
  );
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
