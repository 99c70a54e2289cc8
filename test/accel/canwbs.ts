/**
 * Marks the root complexes in the host's IORT as CANWBS (IORT revision E.c): DMA is coherent, whatever the guest's stage 1
 * translation requests. Linux makes a vIOMMU only with this mark, or for an SMMU with S2FWB; QEMU 11.1 emulates neither.
 */
import { type CpioEntry, packCpio } from '../lab/cpio.js';

const rootComplex = 2;
/** Offset in a root complex node of the last of its eight bytes of memory access properties, after the header of 16 bytes. */
const accessFlags = 16 + 7;
const canwbs = 1 << 2;

/** Offsets in the header of every ACPI table. */
const length = 4;
const checksum = 9;
const oemRevision = 24;

/** Returns an update of the table with every root complex marked. Throws Error if it is not an IORT or has no root complex. */
export function withCanwbs(table: Buffer): Buffer {
  if (table.toString('latin1', 0, 4) !== 'IORT') throw new Error('the table is not an IORT');
  const mended = Buffer.from(table.subarray(0, table.readUInt32LE(length)));
  let offset = mended.readUInt32LE(40);
  let marked = 0;
  for (let node = mended.readUInt32LE(36); node > 0; node--) {
    if (mended.readUInt8(offset) === rootComplex) {
      mended.writeUInt8(mended.readUInt8(offset + accessFlags) | canwbs, offset + accessFlags);
      marked++;
    }
    offset += mended.readUInt16LE(offset + 1);
  }
  if (marked === 0) throw new Error('the IORT has no root complex');
  // Linux uses a table of the initramfs instead of the firmware's only if it is newer.
  mended.writeUInt32LE(mended.readUInt32LE(oemRevision) + 1, oemRevision);
  mended.writeUInt8(0, checksum);
  const sum = mended.reduce((total, byte) => total + byte, 0);
  mended.writeUInt8((0x100 - (sum & 0xff)) & 0xff, checksum);
  return mended;
}

/**
 * Returns the initramfs with the table for Linux (Documentation/admin-guide/acpi/initrd_table_override). Without a table,
 * the host uses that of its firmware.
 */
export function tableArchive(table?: Buffer): Buffer {
  const folders = ['kernel', 'kernel/firmware', 'kernel/firmware/acpi'];
  const entries: CpioEntry[] = folders.map((path) => ({ path, kind: 'folder' }));
  if (table) entries.push({ path: 'kernel/firmware/acpi/iort.aml', kind: 'file', data: table, executable: false });
  return packCpio(entries);
}
