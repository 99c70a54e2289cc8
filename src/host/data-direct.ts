import { join } from 'node:path';
import type { Bdf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import { Host } from './host.js';
import { isDataDirect, localKind, MELLANOX } from './locality.js';
import { PCI_DEVICES } from './pci.js';
import { readBytes } from './read-bytes.js';

/** The largest VPD: its addresses have 15 bits (PCI Local Bus 3.0, appendix I). */
const MAX_VPD = 1 << 15;

/** Tags of a VPD: the bit of a large resource, the read-only fields, and the end (PCI Local Bus 3.0, appendix I). */
const LARGE = 0x80;
const READ_ONLY = 0x90;
const END = 0x78;

/**
 * The vendor's keyword for a UUID that a NIC and its DMA function share. rdma-core (kernel-boot/rdma_topo) matches the two by
 * it. vsmmu does not store the UUID.
 */
const UUID = 'V3';

/**
 * Adds the address of its NIC to each DMA function (Data Direct). The two are in different PCI segments, and sysfs does not show
 * that they belong together. Reads VPDs only if the host has such a function, and only those of NICs of the same vendor.
 * @param sysfs the folder that the host was read from
 */
export function withDataDirect(host: Host, sysfs: string): Host {
  const { devices } = host.topology;
  if (!devices.some(isDataDirect)) return host;
  const uuidOf = (device: PciDevice) => keywordOf(readVpd(sysfs, device.bdf), UUID) ?? null;
  const nics = groupBy(
    devices.filter((each) => each.vendor === MELLANOX && localKind(each) === 'NIC' && each.physfn === null),
    uuidOf,
  );
  const related = devices.map((device): PciDevice => {
    const uuid = isDataDirect(device) ? uuidOf(device) : null;
    const found = uuid === null ? undefined : nics.get(uuid);
    return found ? { ...device, dataDirect: found.map(({ bdf }) => bdf) } : device;
  });
  return new Host({ ...host.topology, devices: related });
}

/** Returns the value of a keyword in the read-only fields of a VPD; undefined if there is none. */
export function keywordOf(vpd: Buffer, keyword: string): string | undefined {
  for (let at = 0; at < vpd.length && ((vpd[at] ?? END) & ~7) !== END; ) {
    const tag = vpd[at] ?? 0;
    const isLarge = (tag & LARGE) !== 0;
    const start = at + (isLarge ? 3 : 1);
    if (start > vpd.length) return undefined;
    const end = start + (isLarge ? vpd.readUInt16LE(at + 1) : tag & 7);
    const found = tag === READ_ONLY ? fieldOf(vpd.subarray(start, end), keyword) : undefined;
    if (found !== undefined) return found;
    at = end;
  }
  return undefined;
}

/** Returns the value of a keyword in a list of fields. Each field is a keyword of two letters, a length in bytes and a value. */
function fieldOf(fields: Buffer, keyword: string): string | undefined {
  for (let at = 0; at + 3 <= fields.length; ) {
    const end = at + 3 + (fields[at + 2] ?? 0);
    if (end > fields.length) return undefined;
    if (fields.toString('latin1', at, at + 2) === keyword) return fields.toString('latin1', at + 3, end);
    at = end;
  }
  return undefined;
}

/** Reads the VPD of a device; empty if the device has none or this user may not read it (Linux: only root may). */
function readVpd(sysfs: string, bdf: Bdf): Buffer {
  return readBytes(join(sysfs, PCI_DEVICES, bdf, 'vpd'), MAX_VPD);
}
