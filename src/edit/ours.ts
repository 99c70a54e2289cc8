import { parseBdf } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import type { CellId } from '../domain/numa.js';
import type { DomainRecord } from '../generated/metadata.js';
import type { Ours } from '../plan/leftovers.js';
import { ROOT_PATH } from './path.js';
import { readRecord } from './record.js';

/** What earlier runs put into a domain for certain devices, by the record in its `<metadata>`; nothing where there is none. */
export function oursOf(domain: Domain): Ours {
  const { record } = readRecord(domain);
  const steps = (path: string) => record?.changed.filter((each) => each.element === path).flatMap((e) => e.added) ?? [];
  const inBrackets = (path: string, name: string) =>
    steps(path).flatMap((step) => (step.startsWith(`${name}[`) ? [step.slice(name.length + 1, -1)] : []));
  const cells = record && madeAllCells(record) ? domain.numa.cells.map(({ id }) => id) : inBrackets('cpu/numa', 'cell');
  return {
    companions: new Set(inBrackets('devices', 'hostdev').flatMap((name) => parseBdf(name) ?? [])),
    cells: new Set(cells.map((id) => Number(id) as CellId)),
  };
}

/** Whether all of `<numa>` was written by us: it, the `<cpu>` that it is in, or its content. */
function madeAllCells({ changed, replaced }: DomainRecord): boolean {
  const added = (path: string, step: string) => changed.some((e) => e.element === path && e.added.includes(step));
  return added(ROOT_PATH, 'cpu') || added('cpu', 'numa') || replaced.some(({ element }) => element === 'cpu/numa');
}
