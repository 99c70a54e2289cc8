import { basename, dirname, join, resolve } from 'node:path';
import { readBytes } from './read-bytes.js';
import type { Sysfs } from './sysfs.js';

/** The Main ID Register of the first CPU (Linux, Documentation/ABI/testing/sysfs-devices-system-cpu). */
const MIDR = 'devices/system/cpu/cpu0/regs/identification/midr_el1';

/**
 * The size of physical addresses in bits (ID_AA64MMFR0_EL1.PARange) per CPU model, given as implementer and part of MIDR_EL1.
 * From the technical reference manuals: Arm's Cortex-A57, A72, Neoverse N1, V1, N2, V2, N3, V3; AmpereOne; Marvell's
 * ThunderX2; HiSilicon's TSV110; Microsoft's Cobalt 100. NVIDIA's Grace has Neoverse V2.
 */
const ADDRESS_BITS: Readonly<Record<string, number>> = {
  '41:d07': 44,
  '41:d08': 44,
  '41:d0c': 48,
  '41:d40': 48,
  '41:d49': 48,
  '41:d4f': 48,
  '41:d83': 48,
  '41:d84': 48,
  '41:d8e': 48,
  '43:0af': 44,
  '48:d01': 48,
  '6d:d49': 48,
  'c0:ac3': 48,
  'c0:ac4': 48,
};

/** The number of bytes of `/proc/cpuinfo` to read: enough for its first CPU. */
const FIRST_CPU_BYTES = 4096;

/**
 * Returns the size of the host CPUs' physical addresses, in bits; undefined if unknown. If sysfs has no identification
 * registers, it reads `/proc/cpuinfo`. For a copy of a sysfs in a folder `sys`, it reads `proc/cpuinfo` next to that folder.
 */
export function readAddressBits(sysfs: Sysfs): number | undefined {
  const model = modelOfRegister(sysfs.read(MIDR)) ?? modelOfCpuinfo(sysfs.root);
  return model === undefined ? undefined : ADDRESS_BITS[model];
}

function modelOfRegister(midr: string | undefined): string | undefined {
  if (midr === undefined || !/^0x[0-9a-f]{1,16}$/.test(midr)) return undefined;
  const value = BigInt(midr);
  const hex = (from: bigint, bits: bigint, digits: number) =>
    ((value >> from) & ((1n << bits) - 1n)).toString(16).padStart(digits, '0');
  return `${hex(24n, 8n, 2)}:${hex(4n, 12n, 3)}`;
}

function modelOfCpuinfo(sysfs: string): string | undefined {
  const folder = resolve(sysfs);
  if (basename(folder) !== 'sys') return undefined;
  const text = readBytes(join(dirname(folder), 'proc/cpuinfo'), FIRST_CPU_BYTES).toString('latin1');
  const [, implementer] = /^CPU implementer\s*: 0x([0-9a-f]{2})$/m.exec(text) ?? [];
  const [, part] = /^CPU part\s*: 0x([0-9a-f]{3})$/m.exec(text) ?? [];
  return `${implementer}:${part}`;
}
