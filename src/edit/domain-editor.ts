import type { Domain } from '../domain/domain.js';
import type { XmlElement } from '../xml/document.js';
import { XmlEditor } from '../xml/editor.js';
import { type Property, type Subject, subjectsOf } from './properties.js';

/** A property that was written, with its values before and after. */
export interface Change {
  readonly subject: Subject;
  readonly property: Property;
  readonly before: string;
  readonly after: string;
}

/** Collects edits of a domain, and logs those that the record needs. */
export class DomainEditor extends XmlEditor {
  readonly changes: Change[] = [];
  readonly removed = new Set<XmlElement>();
  /** The elements that were added, as the record names them. */
  readonly added = {
    controllers: [] as number[],
    iommus: [] as number[],
    cells: [] as number[],
    distances: [] as string[],
    hostdevs: [] as string[],
  };

  constructor(readonly domain: Domain) {
    super(domain.document);
  }

  /** Sets a property of an element, unless it has that value already. */
  set(element: XmlElement | undefined, name: string, value: string): void {
    const subject = element && subjectsOf(this.domain).get(element);
    const property = subject?.properties.find((each) => each.name === name);
    if (!subject || !property) return;
    const before = property.read(subject);
    if (before === value) return;
    property.write(subject, this, value);
    this.changes.push({ subject, property, before, after: value });
  }

  override remove(element: XmlElement): void {
    this.removed.add(element);
    super.remove(element);
  }
}
