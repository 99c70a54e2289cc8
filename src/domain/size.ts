/** A size in units of 1024 bytes, as libvirt prints sizes. */
export type KiB = number & { readonly __unit: 'KiB' };

/** Converts a number to a size in KiB. */
export function kib(size: number): KiB {
  return size as KiB;
}

/** The letters of the units, in the order of their powers. */
const POWERS = 'kmgtpe';

/** The limit of a size in bytes: it must fit libvirt's unsigned long long. */
const LIMIT = 2n ** 64n;

/**
 * Parses a size as libvirt does (12.8, `virScaleInteger`): a decimal number, and a unit in any case. The units are `b`,
 * `byte`, `bytes`; `k` or `KiB` for 1024 bytes and `KB` for 1000, and so on to `EB`. The default unit is KiB. The size is
 * rounded up to KiB. Returns undefined if it is not a size.
 */
export function parseSize(text: string, unit = 'KiB'): KiB | undefined {
  const factor = bytesOfUnit(unit.trim().toLowerCase());
  if (factor === undefined || !/^\s*\d{1,20}\s*$/.test(text)) return undefined;
  const bytes = BigInt(text.trim()) * factor;
  return bytes < LIMIT ? kib(Number((bytes + 1023n) / 1024n)) : undefined;
}

function bytesOfUnit(unit: string): bigint | undefined {
  if (['b', 'byte', 'bytes'].includes(unit)) return 1n;
  const [, letter = '', rest] = /^([kmgtpe])(ib|b)?$/.exec(unit) ?? [];
  if (letter === '') return undefined;
  return (rest === 'b' ? 1000n : 1024n) ** BigInt(POWERS.indexOf(letter) + 1);
}

/** Formats a size for messages, in the largest unit that divides it: `512 GiB`. */
export function formatKib(size: KiB): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value: number = size;
  let i = 0;
  while (value > 0 && value % 1024 === 0 && i < units.length - 1) {
    value /= 1024;
    i++;
  }
  return `${value} ${units[i]}`;
}

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

/** Formats a size in bytes, which is a power of two, in the largest unit that divides it: `128G`. */
export function formatSize(bytes: number): string {
  let unit = 0;
  let count = bytes;
  while (count >= 1024 && count % 1024 === 0 && unit < UNITS.length - 1) {
    count /= 1024;
    unit++;
  }
  return `${count}${UNITS[unit]}`;
}
