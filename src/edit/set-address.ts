import { type GuestAddress, guestAddressAttributes } from '../domain/address.js';
import { parseNumber } from '../domain/number.js';
import type { XmlElement } from '../xml/document.js';
import type { XmlEditor } from '../xml/editor.js';
import type { Quote } from '../xml/print.js';

/** Gives a controller or device a guest address. What says the same already, `slot='0'` for `slot='0x00'`, stays as it is written. */
export function setAddress(
  editor: XmlEditor,
  element: XmlElement,
  to: GuestAddress,
  multifunction: boolean,
  quote?: Quote,
): void {
  const address = element.child('address');
  const attributes = guestAddressAttributes(to, multifunction);
  if (!address) {
    editor.append(element, { name: 'address', attributes, ...(quote && { quote }) });
    return;
  }
  for (const [name, value] of attributes) {
    const written = address.attribute(name);
    if (written === value) continue;
    const number = written === undefined ? undefined : parseNumber(written);
    if (number === undefined || number !== parseNumber(value)) editor.setAttribute(address, name, value);
  }
}
