import type { SmmuRegisters } from '../../../src/generated/topology.js';

/** The ID registers that Linux 7.2 printed for the SMMU that QEMU 11.1 emulates with `stage=nested`. */
export const EMULATED_REGISTERS = {
  granules: [4, 16, 64],
  streamTableLevels: 2,
  streamIdBits: 16,
  endianness: 'little',
  tableFormats: ['aarch64'],
  idr: ['0x0d44101b', '0x02730010', '0x00000000', '0x00001414', '0x00000000', '0x00000074'],
  iidr: '0x00000000',
  aidr: '0x00000001',
} satisfies SmmuRegisters;
