import type { Domain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import type { Added, Changed } from '../../generated/metadata.js';
import { validate } from '../../generated/metadata.validate.js';
import type { XmlElement } from '../../xml/document.js';
import { NONE, parsePlace, type Subject, subjectsOf } from '../properties.js';
import { type Alignment, locate } from './alignment.js';
import { isRestorable } from './managed.js';
import { asNew, type Meaning } from './record.js';

/** Describes how vsmmu changed a domain, by comparing the domain before and after. */
export function describe(before: Domain, after: Domain, alignment: Alignment): Meaning {
  const counterpart = counterpartsOf(before, after, alignment);
  const kept = new Set(counterpart.values());
  const subjects = new Map<XmlElement, Subject>(subjectsOf(after).map((subject) => [subject.element, subject]));
  const isNew = ({ element }: { readonly element: XmlElement | undefined }) => element && !kept.has(element);
  const controllers = after.controllers.filter(isNew).map((c) => c.index as number);
  const changed = subjectsOf(before).flatMap((was): Changed[] => {
    const element = counterpart.get(was.element);
    const is = element && subjects.get(element);
    return is ? changesBetween(was, is, controllers) : [];
  });
  const iommus = after.iommus.filter(isNew).flatMap(({ pciBus = 0 }) => (controllers.includes(pciBus) ? [] : [pciBus]));
  const cells = after.numa.cells.filter(isNew).map((c) => c.id as number);
  const hostdevs = after.hostDevices.filter(isNew).map((d) => d.bdf);
  const added: Added = {
    ...(controllers.length > 0 && { controllers: formatNodeset(controllers) }),
    ...(iommus.length > 0 && { iommus: formatNodeset(iommus) }),
    ...(cells.length > 0 && { cells: formatNodeset(cells) }),
    ...(cells.length > 0 &&
      before.numa.lacks !== 'cell' && { elements: before.numa.lacks === 'cpu' ? 'cpu numa' : 'numa' }),
    ...(hostdevs.length > 0 && { hostdevs: hostdevs.join(' ') }),
  };
  const removed = before.devicesElement?.children.filter((e) => isRestorable(e) && !counterpart.has(e)) ?? [];
  return { changed, added, removed: removed.map(asNew) };
}

/** Maps elements of the domain before to the same elements after: devices, NUMA cells and the root. */
function counterpartsOf(before: Domain, after: Domain, alignment: Alignment): ReadonlyMap<XmlElement, XmlElement> {
  const starts = new Map(elementsOf(after).map((element) => [element.start, element]));
  const counterparts = new Map([[before.document.root, after.document.root]]);
  for (const element of elementsOf(before)) {
    const found = starts.get(locate(alignment, element.start) ?? -1);
    if (found?.name === element.name) counterparts.set(element, found);
  }
  return counterparts;
}

function elementsOf({ devicesElement, numa }: Domain): readonly XmlElement[] {
  return [...(devicesElement?.children ?? []), ...numa.cells.flatMap(({ element }) => element ?? [])];
}

function changesBetween(was: Subject, is: Subject, added: readonly number[]): Changed[] {
  const [kind = '', key = ''] = is.name.split(' ');
  const subject = kind === 'domain' ? {} : { [kind]: key };
  const values = was.properties.flatMap(({ name, value }) => {
    const now = is.properties.find((each) => each.name === name)?.value ?? NONE;
    const entry: [string, string] = [name, `${value} to ${now}`];
    // An address on an added controller is another place, even if it has the same value.
    const isSame = value === now && !(name === 'address' && added.includes(parsePlace(now)?.address.bus ?? -1));
    return isSame || !isValid({ ...subject, [name]: entry[1] }) ? [] : [entry];
  });
  return values.length > 0 ? [{ ...subject, ...Object.fromEntries(values) }] : [];
}

const NO_DIGEST = '0'.repeat(16);

/** Returns whether the record's schema allows such a change. `<vsmmu:text>` restores all others. */
function isValid(changed: Changed): boolean {
  return validate({ digest: NO_DIGEST, former: NO_DIGEST, changed: [changed], added: {}, text: [] });
}
