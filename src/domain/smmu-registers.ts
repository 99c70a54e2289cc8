import type { SmmuRegisters } from '../generated/topology.js';

/** The bits of a stream ID of QEMU's SMMUv3 (11.1, `SMMU_IDR1_SIDSIZE`). */
const STREAM_ID_BITS = 16;

/** The translation granules of QEMU's SMMUv3, in KiB. */
const GRANULES = [4, 16, 64] as const;

/**
 * Returns, in words, the features that QEMU's SMMU model always has and a host SMMU lacks. If there are any, QEMU refuses every
 * vSMMU for that SMMU, whatever its values (11.1, `smmuv3_accel_check_hw_compatible` in hw/arm/smmuv3-accel.c). Empty if the
 * registers are unknown.
 */
export function missingForVsmmu(registers: SmmuRegisters | undefined): readonly string[] {
  if (!registers) return [];
  const { granules, streamTableLevels, streamIdBits, endianness, tableFormats } = registers;
  return [
    ...(streamTableLevels < 2 ? ['no stream tables of two levels'] : []),
    ...(endianness === 'big' ? ['no little-endian translation tables'] : []),
    ...(tableFormats.includes('aarch64') ? [] : ['no AArch64 translation tables']),
    ...(streamIdBits < STREAM_ID_BITS ? [`stream IDs of ${streamIdBits} bits instead of ${STREAM_ID_BITS}`] : []),
    ...GRANULES.filter((size) => !granules.includes(size)).map((size) => `no ${size}K translation granule`),
  ];
}
