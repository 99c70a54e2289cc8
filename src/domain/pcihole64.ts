import { numberInvalid } from '../diagnostics/domain.js';
import { InputError } from '../diagnostics/errors.js';
import type { XmlDocument, XmlElement } from '../xml/document.js';
import type { PciController } from './controller.js';
import { type KiB, parseSize } from './size.js';

/** The `<pcihole64>` of a domain's `pcie-root`: the guest's space for 64-bit BARs. */
export interface PciHole64 {
  /** 0 disables it on x86; QEMU's `virt` machine does not start with 0. */
  readonly size: KiB;
  /** The text in the domain, so that it can be restored. */
  readonly text: string;
  readonly unit: string | undefined;
  readonly element: XmlElement;
}

/**
 * Reads the `<pcihole64>` of a `pcie-root` controller; undefined if it has none.
 * @throws InputError `number-invalid` if it is not a size
 */
export function readPciHole64(document: XmlDocument, root: PciController | undefined): PciHole64 | undefined {
  const element = root?.element.child('pcihole64');
  if (!element) return undefined;
  const unit = element.attribute('unit');
  const text = element.text.trim();
  const size = parseSize(text, unit);
  if (size !== undefined) return { size, text, unit, element };
  const location = document.location(element.start);
  throw new InputError(numberInvalid.pcihole64({ value: `${text} ${unit ?? ''}`.trim(), location }));
}
