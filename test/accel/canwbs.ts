/**
 * The host's IORT, as a machine has it whose root complex keeps DMA coherent whatever a guest's stage 1 says (CANWBS, IORT
 * revision E.c). Linux makes a vIOMMU only on such a machine, or for an SMMU with S2FWB; QEMU 11.1 emulates neither.
 */
import { type CpioEntry, packCpio } from '../lab/cpio.js';

const rootComplex = 2;
/** Of a root complex node: the last of its eight bytes of memory access properties, behind the header of 16 bytes. */
const accessFlags = 16 + 7;
const canwbs = 1 << 2;

/** Offsets in the header that every ACPI table begins with. */
const length = 4;
const checksum = 9;
const oemRevision = 24;

/** The table with every root complex marked, as an update of it. Throws Error when it is no IORT, or has no root complex. */
export function withCanwbs(table: Buffer): Buffer {
  if (table.toString('latin1', 0, 4) !== 'IORT') throw new Error('the table is no IORT');
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
  // Linux takes a table from the initramfs in place of the firmware's only if it is newer.
  mended.writeUInt32LE(mended.readUInt32LE(oemRevision) + 1, oemRevision);
  mended.writeUInt8(0, checksum);
  const sum = mended.reduce((total, byte) => total + byte, 0);
  mended.writeUInt8((0x100 - (sum & 0xff)) & 0xff, checksum);
  return mended;
}

/**
 * The initramfs that Linux takes the table from (Documentation/admin-guide/acpi/initrd_table_override). Without a table, the
 * host keeps that of its firmware.
 */
export function tableArchive(table?: Buffer): Buffer {
  const folders = ['kernel', 'kernel/firmware', 'kernel/firmware/acpi'];
  const entries: CpioEntry[] = folders.map((path) => ({ path, kind: 'folder' }));
  if (table) entries.push({ path: 'kernel/firmware/acpi/iort.aml', kind: 'file', data: table, executable: false });
  return packCpio(entries);
}
