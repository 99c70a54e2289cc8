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
  return inLargestUnit(size, [' KiB', ' MiB', ' GiB', ' TiB']);
}

/** Formats a size in bytes as QEMU reads it, in the largest unit that divides it: `128G`. */
export function formatSize(bytes: number): string {
  return inLargestUnit(bytes, ['', 'K', 'M', 'G', 'T', 'P']);
}

/** @param units each 1024 times the one before it; the first is the unit of `size` */
function inLargestUnit(size: number, [unit = '', ...larger]: readonly string[]): string {
  const isWhole = size > 0 && size % 1024 === 0 && larger.length > 0;
  return isWhole ? inLargestUnit(size / 1024, larger) : `${size}${unit}`;
}
