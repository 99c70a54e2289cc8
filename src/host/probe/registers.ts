import type { SmmuFeatures, SmmuRegisters } from '../../generated/topology.js';

/** The ID registers of an SMMUv3, as `IOMMU_GET_HW_INFO` returns them. */
export interface IdRegisters {
  /** IDR0 to IDR5. */
  readonly idr: readonly number[];
  readonly iidr: number;
  readonly aidr: number;
}

/** The decoded ID registers of an SMMU. */
export interface Decoded {
  readonly features: Required<Pick<SmmuFeatures, 'ats' | 'ril' | 'ssidsize' | 'oas'>>;
  readonly registers: SmmuRegisters;
  /** Whether it has both stages of translation (IDR0.S1P and S2P). */
  readonly bothStages: boolean;
  /** Whether stage 2 can force memory to be cacheable (IDR3.FWB). */
  readonly forcedWriteBack: boolean;
}

/** The values of IDR5.OAS: bits of an output address. */
const OUTPUT_SIZES = [32, 36, 40, 42, 44, 48, 52, 56] as const;

/** Decodes ID registers (Arm SMMUv3, IHI 0070, chapter 6.3.1 to 6.3.11). */
export function decodeRegisters({ idr, iidr, aidr }: IdRegisters): Decoded {
  const field = (register: number, lowest: number, bits = 1): number =>
    ((idr[register] ?? 0) >>> lowest) & ((1 << bits) - 1);
  const has = (register: number, bit: number): boolean => field(register, bit) === 1;
  return {
    features: {
      ats: has(0, 10),
      ril: has(3, 10),
      ssidsize: field(1, 6, 5),
      oas: OUTPUT_SIZES[field(5, 0, 3)] ?? 32,
    },
    registers: {
      granules: ([4, 16, 64] as const).filter((_, n) => has(5, 4 + n)),
      streamTableLevels: field(0, 27, 2) === 0 ? 1 : 2,
      streamIdBits: field(1, 0, 6),
      endianness: ({ 2: 'little', 3: 'big' } as const)[field(0, 21, 2)] ?? 'both',
      tableFormats: [...(has(0, 2) ? (['aarch32'] as const) : []), ...(has(0, 3) ? (['aarch64'] as const) : [])],
      idr: idr.map(hexadecimal),
      iidr: hexadecimal(iidr),
      aidr: hexadecimal(aidr),
    },
    bothStages: has(0, 0) && has(0, 1),
    forcedWriteBack: has(3, 8),
  };
}

function hexadecimal(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}
