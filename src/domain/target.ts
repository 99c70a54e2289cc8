import { infoOf, VSMMU_ATTRIBUTES, type VsmmuAttribute, type VsmmuDialect } from './vsmmu-attributes.js';

/** The abilities of a libvirt. */
export interface LibvirtAbility {
  /** In words: `libvirt 12.7`, `the installed libvirt`. */
  readonly name: string;
  /** Attributes of a vSMMU's `<driver>`. */
  readonly vsmmu: ReadonlySet<VsmmuAttribute>;
  /** How it spells them. */
  readonly dialect: VsmmuDialect;
  /** `iommufd` of a host device's `<driver>`. */
  readonly deviceIommufd: boolean;
  /** `<iommufd>` below `<domain>`. */
  readonly domainIommufd: boolean;
}

/** The abilities of a QEMU. */
export interface QemuAbility {
  readonly name: string;
  /** Properties of its `arm-smmuv3` device. */
  readonly vsmmu: ReadonlySet<VsmmuAttribute>;
  /** Its machine types; undefined where they were not asked for. */
  readonly machines?: ReadonlySet<string> | undefined;
}

/** The libvirt and the QEMU that a domain is for. */
export interface Target {
  readonly libvirt: LibvirtAbility;
  readonly qemu: QemuAbility;
}

/** The first libvirt releases that can say it (formatdomain, each with its version). */
export const LIBVIRT_SINCE = { deviceIommufd: '12.1', domainIommufd: '12.2' } as const;

const ALL: ReadonlySet<VsmmuAttribute> = new Set(VSMMU_ATTRIBUTES);

/** Current upstream: the default target. */
export const UPSTREAM: Target = {
  libvirt: { name: 'libvirt', vsmmu: ALL, dialect: 'upstream', deviceIommufd: true, domainIommufd: true },
  qemu: { name: 'QEMU', vsmmu: ALL },
};

/** Whether a text is a version such as `12.7` or `11.10.0`: numbers, not decimals, so that 11.10 follows 11.9. */
export function isVersion(text: string): boolean {
  return /^\d{1,4}(\.\d{1,4}){1,2}$/.test(text);
}

/** The abilities of a libvirt release. Distributions backport, which a version does not show. */
export function libvirtOfVersion(version: string): LibvirtAbility {
  const has = (name: keyof typeof LIBVIRT_SINCE) => isAtLeast(version, LIBVIRT_SINCE[name]);
  return {
    name: `libvirt ${version}`,
    vsmmu: attributesOf('libvirt', version),
    dialect: 'upstream',
    deviceIommufd: has('deviceIommufd'),
    domainIommufd: has('domainIommufd'),
  };
}

/** The abilities of a QEMU release. */
export function qemuOfVersion(version: string): QemuAbility {
  return { name: `QEMU ${version}`, vsmmu: attributesOf('qemu', version) };
}

function attributesOf(program: 'libvirt' | 'qemu', version: string): ReadonlySet<VsmmuAttribute> {
  return new Set(VSMMU_ATTRIBUTES.filter((name) => isAtLeast(version, infoOf(name).since[program])));
}

function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Whether a target can give a vSMMU a value of this name. */
export function supports({ libvirt, qemu }: Target, name: VsmmuAttribute): boolean {
  return libvirt.vsmmu.has(name) && qemu.vsmmu.has(name);
}
