import type { SmmuFeatures } from '../generated/topology.js';

/**
 * The spellings of the attributes in different builds of libvirt. `upstream` is that of libvirt 12.7 and later; a table row
 * lists only spellings that differ from it.
 */
export const VSMMU_DIALECTS = ['upstream', 'camelCase', 'pasid'] as const;

/**
 * The spelling of the attributes in a build of libvirt. `camelCase` is used by NVIDIA's later branch (12.4.0+nvidia) and by
 * the patched builds that KubeVirt pins, `pasid` by NVIDIA's libvirt 11.9.0+nvidia4.
 */
export type VsmmuDialect = (typeof VSMMU_DIALECTS)[number];

/** A dialect's spelling of an attribute that differs from upstream's. */
export interface DialectSpelling {
  readonly name: string;
  /** The numbers that `on` and `off` stand for, if the dialect has a switch where upstream has a number. */
  readonly switch?: { readonly on: string; readonly off: string };
}

/** The valid values of an attribute: on or off, a list of numbers, or a range of numbers. */
export type ValueRange = 'switch' | readonly number[] | { readonly from: number; readonly to: number };

/** One attribute of a vSMMU's `<driver>`. */
export interface VsmmuAttributeInfo {
  readonly values: ValueRange;
  /** Set if vsmmu always writes this value. Neither policy nor a profile then has the attribute. */
  readonly fixed?: 'on';
  /** The spellings of the dialects that differ from upstream. */
  readonly spelling?: { readonly [dialect in VsmmuDialect]?: DialectSpelling };
  /** The name of its property in NVIDIA's QEMU 10.1.0+nvidia1, if it differs from upstream QEMU's. */
  readonly nvidiaQemu?: string;
  /**
   * The first releases that have it: libvirt (formatdomain), QEMU (`-device arm-smmuv3,help`; the device exists since 10.2).
   */
  readonly since: { readonly libvirt: string; readonly qemu: string };
  readonly host: {
    /** Its name in a topology's `features`. */
    readonly feature: keyof SmmuFeatures;
    /** Its bit in the features that the kernel logs (Linux 7.2, arm-smmu-v3.h); not an ABI. */
    readonly kernelBit?: number;
    /** The register field of the SMMU that shows it (Arm SMMUv3, IHI 0070), or another source. */
    readonly shown: string;
    /** The values that a host can have, if they differ from `values`. */
    readonly values?: ValueRange;
  };
  /** A short name for messages: `ATS` in `no ATS`. */
  readonly label: string;
  /** A description for schemas and documentation. */
  readonly meaning: string;
}

/**
 * The maximum number of bits of a substream ID (Arm SMMUv3, `SSIDSIZE`). QEMU 11.1 refuses more; libvirt 12.8 does not check.
 */
const MAX_SSIDSIZE = 20;

const LIBVIRT = '12.7';

/**
 * All attributes of a vSMMU's `<driver>`, in the order in which libvirt prints them (12.7.0). A new attribute needs a row
 * here, and code in `src/host/features.ts` if the kernel has no bit for it. `npm run docs` adds it to the schemas and the
 * policy table.
 */
export const VSMMU_TABLE = {
  accel: {
    values: 'switch',
    fixed: 'on',
    since: { libvirt: LIBVIRT, qemu: '11.0' },
    host: { feature: 'nesting', kernelBit: 19, shown: 'IDR0.S1P and IDR0.S2P' },
    label: 'nested translation',
    meaning: 'Nested translation by the SMMU itself',
  },
  cmdqv: {
    values: 'switch',
    nvidiaQemu: 'tegra241-cmdqv',
    since: { libvirt: LIBVIRT, qemu: '11.1' },
    host: { feature: 'cmdqv', shown: 'the ACPI device NVDA200C' },
    label: 'command queues for guests',
    meaning: 'Command queues of the SMMU, mapped into the guest (Tegra241 CMDQV)',
  },
  ats: {
    values: 'switch',
    since: { libvirt: LIBVIRT, qemu: '11.0' },
    host: { feature: 'ats', kernelBit: 5, shown: 'IDR0.ATS' },
    label: 'ATS',
    meaning: 'ATS (Address Translation Services)',
  },
  ril: {
    values: 'switch',
    since: { libvirt: LIBVIRT, qemu: '11.0' },
    host: { feature: 'ril', kernelBit: 15, shown: 'IDR3.RIL' },
    label: 'range invalidation',
    meaning: 'Range invalidation',
  },
  ssidsize: {
    values: { from: 0, to: MAX_SSIDSIZE },
    // The switch is QEMU's property `pasid`, which gives the guest 16 bits (`SMMU_IDR1_SSIDSIZE` in the series "hw/arm/virt: Add
    // support for user-creatable accelerated SMMUv3", v5 and v6). NVIDIA's 10.1.0 has an early version of that series.
    spelling: {
      camelCase: { name: 'ssidSize' },
      pasid: { name: 'pasid', switch: { on: '16', off: '0' } },
    },
    nvidiaQemu: 'pasid',
    since: { libvirt: LIBVIRT, qemu: '11.0' },
    host: { feature: 'ssidsize', shown: 'IDR1.SSIDSIZE' },
    label: 'substream ids',
    meaning: 'Bits of a substream ID (PASID)',
  },
  oas: {
    values: [44, 48],
    since: { libvirt: LIBVIRT, qemu: '11.0' },
    host: { feature: 'oas', shown: 'IDR5.OAS; oas in the kernel log', values: { from: 32, to: 56 } },
    label: 'output addresses',
    meaning: 'Bits of an output address',
  },
} as const satisfies Readonly<Record<string, VsmmuAttributeInfo>>;

/** The name of an attribute, as upstream libvirt spells it. */
export type VsmmuAttribute = keyof typeof VSMMU_TABLE;

/**
 * An attribute whose value policy or a profile can choose. By default (`auto`), QEMU 11.1 reads the value from the first
 * device behind the vSMMU.
 */
export type ChosenAttribute = Exclude<VsmmuAttribute, 'accel'>;

/** The values of a vSMMU's `<driver>` as text; QEMU chooses missing ones. */
export type VsmmuValues = { readonly [attribute in VsmmuAttribute]?: string };

export const VSMMU_ATTRIBUTES = Object.keys(VSMMU_TABLE) as readonly VsmmuAttribute[];

export const CHOSEN_ATTRIBUTES = VSMMU_ATTRIBUTES.filter((name) => !infoOf(name).fixed) as readonly ChosenAttribute[];

/** Returns the row of an attribute. */
export function infoOf(name: VsmmuAttribute): VsmmuAttributeInfo {
  return VSMMU_TABLE[name];
}

/** Returns the name of an attribute in a dialect. */
export function spellingOf(name: VsmmuAttribute, dialect: VsmmuDialect): string {
  return infoOf(name).spelling?.[dialect]?.name ?? name;
}

/** Returns all spellings of an attribute, upstream's first. */
export function spellingsOf(name: VsmmuAttribute): readonly string[] {
  return [...new Set(VSMMU_DIALECTS.map((dialect) => spellingOf(name, dialect)))];
}

/** Returns the names of an attribute's property in builds of QEMU, upstream's first. */
export function qemuNames(name: VsmmuAttribute): readonly string[] {
  const other = infoOf(name).nvidiaQemu;
  return other === undefined ? [name] : [name, other];
}

/** Returns the dialect that uses all these spellings; upstream's if several dialects do, or none does. */
export function dialectOf(spellings: readonly Spelling[]): VsmmuDialect {
  const has = (dialect: VsmmuDialect) =>
    spellings.every(({ attribute, name }) => name === spellingOf(attribute, dialect));
  return VSMMU_DIALECTS.find(has) ?? 'upstream';
}

/** Returns an attribute's value as a dialect writes it: `ssidsize='20'` is `pasid='on'`. */
export function dialectValue(name: VsmmuAttribute, value: string, dialect: VsmmuDialect): string {
  const numbers = infoOf(name).spelling?.[dialect]?.switch;
  if (!numbers) return value;
  return value === numbers.off ? 'off' : 'on';
}

/**
 * Returns values as the guest gets them from a libvirt of a dialect. They differ only if the dialect has a switch where
 * upstream has a number: `ssidsize='20'` then gives 16 bits.
 */
export function valuesInDialect(values: VsmmuValues, dialect: VsmmuDialect): VsmmuValues {
  const all = VSMMU_ATTRIBUTES.flatMap((name) => {
    const value = values[name];
    if (value === undefined) return [];
    return [[name, upstreamValue(name, spellingOf(name, dialect), dialectValue(name, value, dialect))]];
  });
  return Object.fromEntries(all);
}

/** Converts a value that is written under one of an attribute's names to upstream's value: `pasid='on'` to `16`. */
function upstreamValue(attribute: VsmmuAttribute, name: string, text: string): string {
  const spelling = Object.values(infoOf(attribute).spelling ?? {}).find((each) => each.name === name);
  return text === 'on' || text === 'off' ? (spelling?.switch?.[text] ?? text) : text;
}

/** An attribute, and the name that a `<driver>` uses for it. */
export interface Spelling {
  readonly attribute: VsmmuAttribute;
  readonly name: string;
}

/**
 * Reads the values of a vSMMU, in any dialect. If an attribute has several names there, the value under upstream's name counts.
 * @param textOf returns the text of an attribute of a `<driver>`, or of a property of QEMU's device
 * @param namesOf returns the possible names of an attribute
 */
export function readVsmmuValues(
  textOf: (name: string) => string | undefined,
  namesOf: (name: VsmmuAttribute) => readonly string[] = spellingsOf,
): { readonly values: VsmmuValues; readonly spellings: readonly Spelling[] } {
  const values: { [attribute in VsmmuAttribute]?: string } = {};
  const spellings: Spelling[] = [];
  for (const attribute of VSMMU_ATTRIBUTES) {
    for (const name of namesOf(attribute)) {
      const value = textOf(name);
      if (value === undefined) continue;
      values[attribute] ??= upstreamValue(attribute, name, value);
      spellings.push({ attribute, name });
    }
  }
  return { values, spellings };
}

/** Returns a range in words: `on or off`, `0 to 20`, `44 or 48`. */
export function describeRange(values: ValueRange): string {
  if (values === 'switch') return 'on or off';
  return 'from' in values ? `${values.from} to ${values.to}` : values.join(' or ');
}

function isInRange(text: string, values: ValueRange): boolean {
  if (values === 'switch') return text === 'on' || text === 'off';
  if (!('from' in values)) return values.some((value) => text === String(value));
  return /^\d+$/.test(text) && Number(text) >= values.from && Number(text) <= values.to;
}

/** Returns the values that QEMU 11.1 refuses, such as `ssidsize='21'`. libvirt 12.8 does not check the numbers. */
export function invalidValues(values: VsmmuValues): readonly string[] {
  return VSMMU_ATTRIBUTES.flatMap((name) => {
    const value = values[name];
    return value === undefined || isInRange(value, infoOf(name).values) ? [] : [`${name}='${value}'`];
  });
}

/** A vSMMU value that QEMU 11.1 refuses on a host, and the value of the host's SMMU. */
export interface BeyondHost {
  readonly name: VsmmuAttribute;
  readonly value: string;
  /** In words: `no ATS`, `44 bits`. */
  readonly host: string;
}

/**
 * Returns the values of a vSMMU that exceed the known values of its host SMMU. QEMU 11.1 refuses to start with such a value.
 * Unknown features are not compared.
 * @param features of the host's SMMU (`Smmu.features` of a topology)
 */
export function valuesBeyondHost(values: VsmmuValues, features: SmmuFeatures | undefined): readonly BeyondHost[] {
  return VSMMU_ATTRIBUTES.flatMap((name) => {
    const value = values[name];
    if (value === undefined || !isBeyondHost(name, value, features)) return [];
    const has = features?.[infoOf(name).host.feature];
    return [{ name, value, host: typeof has === 'number' ? `${has} bits` : `no ${infoOf(name).label}` }];
  });
}

/** Whether a value exceeds the known value of a host's SMMU. */
export function isBeyondHost(name: VsmmuAttribute, value: string, features: SmmuFeatures = {}): boolean {
  const has = features[infoOf(name).host.feature];
  return typeof has === 'number' ? Number(value) > has : value === 'on' && has === false;
}
