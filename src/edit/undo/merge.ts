import { formatGuestAddress } from '../../domain/address.js';
import { readDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Added, Changed } from '../../generated/metadata.js';
import { groupBy } from '../../group-by.js';
import { rootPortsInUse } from '../../plan/undo/addresses.js';
import type { XmlElement } from '../../xml/document.js';
import { XmlEditor } from '../../xml/editor.js';
import type { NewElement } from '../../xml/print.js';
import type { Change, DomainEditor } from '../domain-editor.js';
import { ADDRESS, ALIAS, NONE, parsePlace, type Subject, subjectsOf } from '../properties.js';
import { isRestorable } from './managed.js';
import { asNew, changesAsLeft, listed, type Meaning, words } from './record.js';
import { addedControllers, formerPlaces, readDevices } from './restore.js';

/** Describes how edits and those of an earlier record together change a domain. */
export function merge({ domain, changes, added, removed }: DomainEditor, earlier: Meaning): Meaning {
  const stays = ({ element }: { readonly element: XmlElement | undefined }) => element && !removed.has(element);
  const earlierChanges = changesAsLeft(domain, earlier.changed);
  const inUse = rootPortsInUse(domain, formerPlaces(earlierChanges));
  const ports = addedControllers(domain, earlier.added);
  const own = ports.filter(({ index }) => !inUse.has(index));
  const ownBuses = new Set<number>([...own.map(({ index }) => index), ...listed(earlier.added.iommus)]);
  const ownIommus = domain.iommus.filter(({ pciBus = -1 }) => ownBuses.has(pciBus));
  const ownElements = new Set([...own, ...ownIommus].map(({ element }) => element));
  const [cells, hostdevs] = [listed(earlier.added.cells), words(earlier.added.hostdevs)];

  const controllers = [
    ...[ROOT_BUS].filter((index) => listed(earlier.added.controllers).has(index)),
    ...own.filter(stays).map(({ index }) => index),
    ...added.controllers,
  ];
  const lists = {
    controllers: formatNodeset(controllers),
    iommus: formatNodeset(
      [...ownIommus.filter(stays).flatMap(({ pciBus = [] }) => pciBus), ...added.iommus].filter(
        (bus) => !controllers.includes(bus),
      ),
    ),
    cells: formatNodeset([
      ...domain.numa.cells.filter((cell) => stays(cell) && cells.has(cell.id)).map(({ id }) => id),
      ...added.cells,
    ]),
    distances: [...new Set([...words(earlier.added.distances), ...added.distances])].join(' '),
    hostdevs: [
      ...domain.hostDevices.filter((device) => stays(device) && hostdevs.has(device.bdf)).map(({ bdf }) => bdf),
      ...added.hostdevs,
    ].join(' '),
  };

  const all = groupBy(
    [
      ...earlierChanges.map((change) => ({ ...change, after: change.property.read(change.subject) })),
      // A port of pcie.0 that another device has come to use belongs to the domain. It loses vsmmu's alias at the undo.
      ...ports
        .filter(({ index }) => inUse.has(index))
        .flatMap(({ element, alias = NONE }) => {
          const subject = subjectsOf(domain).get(element);
          return subject ? [{ subject, property: ALIAS, before: NONE, after: alias }] : [];
        }),
      ...changes,
    ],
    ({ subject }) => subject,
  );
  const changed = [...subjectsOf(domain).values()].flatMap((subject) => {
    const isKept = !removed.has(subject.element) && !ownElements.has(subject.element);
    return isKept ? entryOf(subject, all.get(subject) ?? [], controllers) : [];
  });
  const gone = domain.deviceElements.filter((e) => removed.has(e) && isRestorable(e) && !ownElements.has(e));
  return {
    changed,
    added: Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== '')) as Added,
    removed: [...earlier.removed, ...gone.map((element) => formerElement(element, earlierChanges))],
  };
}

/** Returns the entry of the record for an element with these changes, the oldest first; none if they cancel each other. */
function entryOf(subject: Subject, changes: readonly Change[], addedControllers: readonly number[]): Changed[] {
  const values = subject.properties.flatMap((property) => {
    const own = changes.filter((change) => change.property === property);
    const [before, after] = [own[0]?.before, own.at(-1)?.after];
    if (before === undefined || after === undefined) return [];
    // An address on an added controller is another place, even if it has the same value.
    const isOther = property === ADDRESS && addedControllers.includes(parsePlace(after)?.address.bus ?? -1);
    return before === after && !isOther ? [] : [[property.name, `${before} to ${after}`]];
  });
  if (values.length === 0) return [];
  const [kind = '', key = ''] = subject.name.split(' ');
  const moved = kind === 'guest' ? parsePlace(changes.at(-1)?.after ?? NONE) : undefined;
  const name = moved ? formatGuestAddress(moved.address) : key;
  return [{ ...(kind !== 'domain' && { [kind]: name }), ...Object.fromEntries(values) }];
}

/** Returns a removed element as it was before earlier changes. */
function formerElement(element: XmlElement, changes: readonly Change[]): NewElement {
  const own = changes.filter(({ subject }) => subject.element === element);
  if (own.length === 0) return asNew(element);
  const domain = readDevices([asNew(element)]);
  const [copy] = domain.deviceElements;
  const subject = copy && subjectsOf(domain).get(copy);
  const editor = new XmlEditor(domain.document);
  if (subject) for (const { property, before } of own) property.write(subject, editor, before);
  const [former = element] = readDomain(editor.toString()).deviceElements;
  return asNew(former);
}
