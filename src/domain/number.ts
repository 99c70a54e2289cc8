/**
 * Parses a number as libvirt does: in C's base 0, so `0x1f`, `017` (octal) and `15` mean the same as in C. Returns undefined
 * if the text is not such a number.
 */
export function parseNumber(text: string): number | undefined {
  if (!/^(?:0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.test(text)) return undefined;
  const radix = /^0x/i.test(text) ? 16 : text.startsWith('0') ? 8 : 10;
  return Number.parseInt(radix === 16 ? text.slice(2) : text, radix);
}
