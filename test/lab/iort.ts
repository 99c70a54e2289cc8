/**
 * The IORT, the ACPI table that describes which device is behind which SMMU on an Arm system
 * (Arm DEN 0049, "IO Remapping Table"). Only the parts that the lab compares are read.
 */

/** A range of PCI requester ids that a root complex maps: `first` to `last`, both inclusive, 16 bits (bus << 8 | slot << 3 | function). */
export interface IdMapping {
  readonly first: number;
  readonly last: number;
  /** Base address of the SMMUv3 of the range; undefined if it maps to the ITS. */
  readonly smmu: bigint | undefined;
}

export interface Iort {
  /** Base addresses of the SMMUv3s, in the order of the table. */
  readonly smmus: readonly bigint[];
  /** The mappings of the root complexes, in the order of the table. */
  readonly mappings: readonly IdMapping[];
}

/** Node types of the table. */
const rootComplex = 2;
const smmuV3 = 4;
/** Offset of the field with the base address in an SMMUv3 node: it follows the 16 bytes common to all nodes. */
const smmuBase = 16;
const mappingBytes = 20;

/** Reads the raw table. Throws RangeError if it is truncated, Error if it is not an IORT. */
export function parseIort(table: Buffer): Iort {
  if (table.toString('latin1', 0, 4) !== 'IORT') throw new Error('the table is not an IORT');
  const count = table.readUInt32LE(36);
  const bases = new Map<number, bigint>();
  const complexes: Buffer[] = [];
  let offset = table.readUInt32LE(40);
  for (let index = 0; index < count; index++) {
    const node = table.subarray(offset, offset + table.readUInt16LE(offset + 1));
    if (node.readUInt8(0) === smmuV3) bases.set(offset, node.readBigUInt64LE(smmuBase));
    if (node.readUInt8(0) === rootComplex) complexes.push(node);
    offset += node.length;
  }
  return { smmus: [...bases.values()], mappings: complexes.flatMap((node) => mappingsOf(node, bases)) };
}

/** The ID mappings of one node: input base, number of IDs minus one, output base, offset of the target node, flags. */
function mappingsOf(node: Buffer, smmuAt: ReadonlyMap<number, bigint>): IdMapping[] {
  const count = node.readUInt32LE(8);
  const start = node.readUInt32LE(12);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * mappingBytes;
    const first = node.readUInt32LE(at);
    return { first, last: first + node.readUInt32LE(at + 4), smmu: smmuAt.get(node.readUInt32LE(at + 12)) };
  });
}

/** Formats a mapping for the lab's reports: `ee00+1ff→smmu3.0x000000000c020000`. */
export function formatMapping({ first, last, smmu }: IdMapping): string {
  const target = smmu === undefined ? 'ITS' : smmuName(smmu);
  return `${hex(first, 4)}+${hex(last - first, 3)}→${target}`;
}

/** The name in Linux of the SMMUv3 with this base address (drivers/iommu/arm/arm-smmu-v3). */
export function smmuName(base: bigint): string {
  return `smmu3.0x${base.toString(16).padStart(16, '0')}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
