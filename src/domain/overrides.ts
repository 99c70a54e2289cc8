import type { XmlDocument, XmlElement } from '../xml/document.js';
import { parseNumber } from './number.js';

/** The namespace of `<qemu:commandline>` and `<qemu:override>` (libvirt: drvqemu, "Pass-through of arbitrary qemu commands"). */
export const QEMU_NAMESPACE = 'http://libvirt.org/schemas/domain/qemu/1.0';

/** The QEMU property of a root port that sets how many bytes of 64-bit prefetchable memory firmware reserves behind it. */
export const RESERVE_PROPERTY = 'pref64-reserve';

/** The part of `<qemu:override>` for one device: `<qemu:device alias='…'><qemu:frontend><qemu:property …/>`. */
export interface DeviceOverride {
  readonly element: XmlElement;
  readonly frontend: XmlElement | undefined;
  /** `pref64-reserve`, if set. */
  readonly reserve: { readonly element: XmlElement; readonly bytes: number } | undefined;
}

/** The properties that a domain sets on QEMU's devices directly (libvirt 8.2). */
export interface Overrides {
  /** `<qemu:override>`, with any prefix. */
  readonly element: XmlElement | undefined;
  /** By the alias of the device. */
  readonly devices: ReadonlyMap<string, DeviceOverride>;
}

/** Reads the `<qemu:override>` of a domain. */
export function readOverrides({ root }: XmlDocument): Overrides {
  const named = (parent: XmlElement | undefined, name: string): readonly XmlElement[] =>
    (parent?.children ?? []).filter((e) => e.localName === name && e.namespace === QEMU_NAMESPACE);
  const [element] = named(root, 'override');
  const devices = named(element, 'device').map((device): [string, DeviceOverride] => {
    const [frontend] = named(device, 'frontend');
    const property = named(frontend, 'property').find((e) => e.attribute('name') === RESERVE_PROPERTY);
    const bytes = property && parseQemuSize(property.attribute('value') ?? '');
    return [
      device.attribute('alias') ?? '',
      { element: device, frontend, reserve: property && { element: property, bytes: bytes ?? 0 } },
    ];
  });
  return { element, devices: new Map(devices) };
}

/** Returns the number of bytes that the port with an alias reserves; 0 if it has no override. */
export function reserveOf({ devices }: Overrides, alias: string | null): number {
  return (alias === null ? undefined : devices.get(alias)?.reserve?.bytes) ?? 0;
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Parses a size as QEMU does: a number, optionally with `K`, `M`, `G` or `T` (powers of 1024) after it. Returns bytes. */
export function parseQemuSize(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\w+?)([KMGT]?)$/i.exec(text) ?? [];
  const number = parseNumber(digits);
  return number === undefined ? undefined : number * (UNITS[unit.toUpperCase()] ?? 1);
}
