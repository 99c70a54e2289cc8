import { describe, expect, it } from 'vitest';
import { missingForVsmmu } from '../../../src/domain/smmu-registers.js';
import { decodeRegisters, type IdRegisters } from '../../../src/host/probe/registers.js';
import { EMULATED_REGISTERS } from './emulated-smmu.js';

/** The SMMU of QEMU 11.1 with `stage=nested`, as Linux 7.2 returned its registers on the emulated host. */
const EMULATED: IdRegisters = {
  idr: [0x0d44101b, 0x02730010, 0, 0x1414, 0, 0x74],
  iidr: 0,
  aidr: 1,
};

/** The emulated SMMU with other IDRs. */
function withIdr(changes: Readonly<Record<number, number>>): IdRegisters {
  return { ...EMULATED, idr: EMULATED.idr.map((value, n) => changes[n] ?? value) };
}

describe('the ID registers of an SMMU', () => {
  it('are decoded for the SMMU that QEMU emulates', () => {
    expect(decodeRegisters(EMULATED)).toEqual({
      features: { ats: false, ril: true, ssidsize: 0, oas: 44 },
      registers: EMULATED_REGISTERS,
      bothStages: true,
      forcedWriteBack: false,
    });
  });

  // The fields are those of the Arm SMMUv3 specification (IHI 0070).
  it.each<[title: string, changes: Readonly<Record<number, number>>, decoded: object]>([
    ['IDR0.ATS', { 0: 0x0d44101b | (1 << 10) }, { features: { ats: true } }],
    ['IDR0.S2P of 0', { 0: 0x0d44101a }, { bothStages: false }],
    ['IDR0.S1P of 0', { 0: 0x0d441019 }, { bothStages: false }],
    ['IDR0.TTF of 0b01', { 0: 0x0d441017 }, { registers: { tableFormats: ['aarch32'] } }],
    ['IDR0.TTF of 0b11', { 0: 0x0d44101f }, { registers: { tableFormats: ['aarch32', 'aarch64'] } }],
    ['IDR0.TTENDIAN of 0b00', { 0: 0x0d04101b }, { registers: { endianness: 'both' } }],
    ['IDR0.TTENDIAN of 0b11', { 0: 0x0d64101b }, { registers: { endianness: 'big' } }],
    ['IDR0.ST_LEVEL of 0', { 0: 0x0544101b }, { registers: { streamTableLevels: 1 } }],
    ['IDR1.SSIDSIZE of 20', { 1: 0x02730510 }, { features: { ssidsize: 20 }, registers: { streamIdBits: 16 } }],
    ['IDR1.SIDSIZE of 32', { 1: 0x02730020 }, { features: { ssidsize: 0 }, registers: { streamIdBits: 32 } }],
    ['IDR1 with its highest bit', { 1: 0x82730010 }, { registers: { idr: expect.arrayContaining(['0x82730010']) } }],
    ['IDR3.RIL of 0', { 3: 0x1014 }, { features: { ril: false } }],
    ['IDR3.FWB', { 3: 0x1514 }, { forcedWriteBack: true }],
    ['IDR5.OAS of 0b101', { 5: 0x75 }, { features: { oas: 48 }, registers: { granules: [4, 16, 64] } }],
    ['IDR5.OAS of 0b000', { 5: 0x70 }, { features: { oas: 32 } }],
    ['IDR5.GRAN16K of 0', { 5: 0x54 }, { registers: { granules: [4, 64] } }],
  ])('show %s', (_, changes, decoded) => {
    expect(decodeRegisters(withIdr(changes))).toMatchObject(decoded);
  });
});

describe('what QEMU needs of an SMMU', () => {
  // QEMU 11.1, smmuv3_accel_check_hw_compatible
  it.each<[title: string, changes: Readonly<Record<number, number>>, missing: readonly string[]]>([
    ['is there if it is the one that QEMU emulates', {}, []],
    ['is there if it can do more', { 0: 0x0d04141f, 1: 0x02730520, 5: 0x75 }, []],
    ['includes stream tables of two levels', { 0: 0x0544101b }, ['no stream tables of two levels']],
    ['includes little-endian tables', { 0: 0x0d64101b }, ['no little-endian translation tables']],
    ['includes AArch64 tables', { 0: 0x0d441017 }, ['no AArch64 translation tables']],
    ['includes stream IDs of 16 bits', { 1: 0x0273000f }, ['stream IDs of 15 bits instead of 16']],
    ['includes each granule', { 5: 0x14 }, ['no 16K translation granule', 'no 64K translation granule']],
    ['includes the smallest granule', { 5: 0x64 }, ['no 4K translation granule']],
  ])('%s', (_, changes, missing) => {
    expect(missingForVsmmu(decodeRegisters(withIdr(changes)).registers)).toEqual(missing);
  });

  it('is unknown without the registers', () => {
    expect(missingForVsmmu(undefined)).toEqual([]);
  });
});
