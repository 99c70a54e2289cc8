import { formatGuestAddress } from '../../domain/address.js';
import { readDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import type { Added, Changed } from '../../generated/metadata.js';
import { groupBy } from '../../group-by.js';
import { rootPortsInUse } from '../../plan/undo/addresses.js';
import type { XmlElement } from '../../xml/document.js';
import { XmlEditor } from '../../xml/editor.js';
import { asNew, type NewElement } from '../../xml/print.js';
import type { Change, DomainEditor } from '../domain-editor.js';
import { ADDRESS, ALIAS, NONE, parsePlace, type Subject, subjectsOf } from '../properties.js';
import { isRestorable } from './managed.js';
import { changesAsLeft, type Meaning, words } from './record.js';
import { addedElements, formerPlaces, readDevices } from './restore.js';

/** Describes how edits, together with those of an earlier record, change a domain. */
export function merge(editor: DomainEditor, earlier: Meaning = { changed: [], added: {}, removed: [] }): Meaning {
  const { domain, removed } = editor;
  const stays = ({ element }: { readonly element: XmlElement | undefined }) => element && !removed.has(element);
  const earlierChanges = changesAsLeft(domain, earlier.changed);
  const own = addedElements(domain, earlier.added);
  const inUse = own.controllers.length > 0 ? rootPortsInUse(domain, formerPlaces(earlierChanges)) : new Set<number>();
  const controllers = own.controllers.filter(({ index }) => !inUse.has(index));
  const used = own.controllers.filter(({ index }) => inUse.has(index));
  const ownIommus = domain.iommus.filter(
    (iommu) => own.iommus.includes(iommu) || controllers.some(({ index }) => index === iommu.pciBus),
  );
  const ownElements = new Set([...controllers, ...ownIommus].map(({ element }) => element));

  const indexes = [...own.root, ...controllers].filter(stays).map(({ index }): number => index);
  indexes.push(...editor.added.controllers);
  const iommus = [...ownIommus.filter(stays).flatMap(({ pciBus = [] }) => pciBus), ...editor.added.iommus];
  const added = {
    controllers: formatNodeset(indexes),
    iommus: formatNodeset(iommus.filter((bus) => !indexes.includes(bus))),
    cells: formatNodeset([...own.cells.filter(stays).map(({ id }) => id), ...editor.added.cells]),
    distances: [...new Set([...words(earlier.added.distances), ...editor.added.distances])].join(' '),
    hostdevs: [...own.hostdevs.filter(stays).map(({ bdf }) => bdf), ...editor.added.hostdevs].join(' '),
  };

  const changes = groupBy(
    [
      ...earlierChanges.map((change) => ({ ...change, after: change.property.read(change.subject) })),
      // A port of pcie.0 that another device has come to use belongs to the domain. It loses vsmmu's alias at the undo.
      ...used.flatMap(({ element, alias = NONE }) => {
        const subject = subjectsOf(domain).get(element);
        return subject ? [{ subject, property: ALIAS, before: NONE, after: alias }] : [];
      }),
      ...editor.changes,
    ],
    ({ subject }) => subject,
  );
  const subjects = [...subjectsOf(domain).values()].filter(
    (subject) => changes.has(subject) && stays(subject) && !ownElements.has(subject.element),
  );
  const gone = [...removed].filter((element) => isRestorable(element) && !ownElements.has(element));
  return {
    changed: subjects.flatMap((subject) => entryOf(subject, changes.get(subject) ?? [], indexes)),
    added: Object.fromEntries(Object.entries(added).filter(([, list]) => list !== '')) as Added,
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
