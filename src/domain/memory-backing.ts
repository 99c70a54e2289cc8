import type { XmlElement } from '../xml/document.js';
import { type KiB, parseSize } from './size.js';

/** Huge pages of a guest's memory: pages of the host's default size, of one size, or of other sizes for some NUMA cells. */
export type HugePages = 'on' | KiB | 'several';

/** Returns the huge pages of a domain; undefined if it has none. */
export function hugePagesOf(root: XmlElement): HugePages | undefined {
  const element = root.child('memoryBacking')?.child('hugepages');
  return element && readHugePages(element);
}

/** Reads a `<hugepages>` element (libvirt 12.8: formatdomain, "Memory Backing"). */
export function readHugePages({ attributes, children }: XmlElement): HugePages {
  const [page, ...more] = children;
  if (!page && attributes.length === 0) return 'on';
  const isPlain = page?.name === 'page' && page.attributes.every(({ name }) => name === 'size' || name === 'unit');
  const size =
    isPlain && more.length === 0 ? parseSize(page.attribute('size') ?? '', page.attribute('unit')) : undefined;
  return size ?? 'several';
}
