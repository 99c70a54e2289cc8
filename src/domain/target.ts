import { infoOf, VSMMU_ATTRIBUTES, type VsmmuAttribute, type VsmmuDialect } from './vsmmu-attributes.js';

/** The features of a libvirt that vsmmu depends on. */
export interface LibvirtFeatures {
  /** A name for messages: `libvirt 12.7`, `the installed libvirt`. */
  readonly name: string;
  /** The supported attributes of a vSMMU's `<driver>`. */
  readonly vsmmu: ReadonlySet<VsmmuAttribute>;
  /** The spelling of these attributes. */
  readonly dialect: VsmmuDialect;
  /** Whether it supports `iommufd` of a host device's `<driver>`. */
  readonly deviceIommufd: boolean;
  /** Whether it supports `<iommufd>` below `<domain>`. */
  readonly domainIommufd: boolean;
}

/** The features of a QEMU that vsmmu depends on. */
export interface QemuFeatures {
  readonly name: string;
  /** The supported properties of the `arm-smmuv3` device. */
  readonly vsmmu: ReadonlySet<VsmmuAttribute>;
  /** Its machine types; undefined if they were not queried. */
  readonly machines?: ReadonlySet<string> | undefined;
}

/** The libvirt and the QEMU that a domain is written for. */
export interface Target {
  readonly libvirt: LibvirtFeatures;
  readonly qemu: QemuFeatures;
}

/** The first libvirt releases that support iommufd for a single host device and for a whole domain (from formatdomain). */
export const LIBVIRT_SINCE = { deviceIommufd: '12.1', domainIommufd: '12.2' } as const;

const ALL: ReadonlySet<VsmmuAttribute> = new Set(VSMMU_ATTRIBUTES);

/** Current upstream: the default target. */
export const UPSTREAM: Target = {
  libvirt: { name: 'libvirt', vsmmu: ALL, dialect: 'upstream', deviceIommufd: true, domainIommufd: true },
  qemu: { name: 'QEMU', vsmmu: ALL },
};

/**
 * The versions that `nvidia` stands for: NVIDIA's packages for Ubuntu 24.04 on Grace. Both support accelerated vSMMUs, which
 * upstream supports only in later releases.
 */
export const NVIDIA_STACK = { libvirt: '11.9.0+nvidia4', qemu: '10.1.0+nvidia1' } as const;

/**
 * Whether a text is a version such as `12.7` or `11.10.0`, or that of a package of NVIDIA, such as `11.9.0+nvidia4-1`. The
 * parts of a version are compared as numbers, so that 11.10 follows 11.9.
 */
export function isVersion(text: string): boolean {
  return /^\d{1,4}(\.\d{1,4}){1,2}(\+nvidia[\w.~-]{0,40})?$/.test(text);
}

/** Whether a version is that of a package of NVIDIA. */
function isNvidia(version: string): boolean {
  return version.includes('+nvidia');
}

/**
 * Returns the spelling of a libvirt release. NVIDIA's 11.9.0+nvidia4 has `pasid` (the verified stack of OpenNebula's Grace guide,
 * 2026-07), its 12.4.0+nvidia-stable1 has `ssidSize` (tests/qemuxmlconfdata/iommu-smmuv3-pci-bus-accel.xml of its repository).
 */
function dialectOfVersion(version: string): VsmmuDialect {
  if (!isNvidia(version)) return 'upstream';
  return isAtLeast(version, '12.0') ? 'camelCase' : 'pasid';
}

/** Returns the features of a libvirt release. A distribution may have backported features: the version does not show that. */
export function libvirtOfVersion(version: string): LibvirtFeatures {
  const has = (name: keyof typeof LIBVIRT_SINCE) => isAtLeast(version, LIBVIRT_SINCE[name]);
  // NVIDIA's 11.9.0+nvidia4 has iommufd for one device, as OpenNebula writes it.
  return {
    name: `libvirt ${version}`,
    vsmmu: attributesOf('libvirt', version),
    dialect: dialectOfVersion(version),
    deviceIommufd: isNvidia(version) || has('deviceIommufd'),
    domainIommufd: has('domainIommufd'),
  };
}

/** Returns the features of a QEMU release. */
export function qemuOfVersion(version: string): QemuFeatures {
  return { name: `QEMU ${version}`, vsmmu: attributesOf('qemu', version) };
}

function attributesOf(program: 'libvirt' | 'qemu', version: string): ReadonlySet<VsmmuAttribute> {
  if (isNvidia(version)) return ALL;
  return new Set(VSMMU_ATTRIBUTES.filter((name) => isAtLeast(version, infoOf(name).since[program])));
}

function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.replace(/\+.*/, '').split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Whether both the libvirt and the QEMU of a target support an attribute of a vSMMU. */
export function supports({ libvirt, qemu }: Target, name: VsmmuAttribute): boolean {
  return libvirt.vsmmu.has(name) && qemu.vsmmu.has(name);
}
