import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { type SsidsizeSpelling, VSMMU_ATTRIBUTES, type VsmmuAttribute } from '../domain/iommu.js';
import type { Policy } from './policy.js';

/** What a libvirt can say. */
export interface LibvirtAbility {
  /** In words: `libvirt 12.7`, `the installed libvirt`. */
  readonly name: string;
  /** Attributes of a vSMMU's `<driver>`. */
  readonly vsmmu: ReadonlySet<VsmmuAttribute>;
  readonly ssidsize: SsidsizeSpelling;
  /** `iommufd` of a host device's `<driver>`. */
  readonly deviceIommufd: boolean;
  /** `<iommufd>` below `<domain>`. */
  readonly domainIommufd: boolean;
}

/** What a QEMU can do. */
export interface QemuAbility {
  readonly name: string;
  /** Properties of its `arm-smmuv3` device. */
  readonly vsmmu: ReadonlySet<VsmmuAttribute>;
}

/** The libvirt and the QEMU that a domain is for. */
export interface Target {
  readonly libvirt: LibvirtAbility;
  readonly qemu: QemuAbility;
}

/** The first libvirt releases that can say it (formatdomain, each with its version). */
const LIBVIRT_SINCE = { deviceIommufd: '12.1', domainIommufd: '12.2', vsmmu: '12.7' } as const;

/** The first QEMU releases whose arm-smmuv3 has these properties (its ,help; the device itself is of 10.2). */
const QEMU_SINCE = { accel: '11.0', cmdqv: '11.1' } as const;

const ALL: ReadonlySet<VsmmuAttribute> = new Set(VSMMU_ATTRIBUTES);
const NONE: ReadonlySet<VsmmuAttribute> = new Set();

/** Today's upstream: what a domain is for where nobody says otherwise. */
export const UPSTREAM: Target = {
  libvirt: { name: 'libvirt', vsmmu: ALL, ssidsize: 'ssidsize', deviceIommufd: true, domainIommufd: true },
  qemu: { name: 'QEMU', vsmmu: ALL },
};

/** Whether a text is a version such as `12.7` or `11.10.0`: numbers, not decimals, so that 11.10 follows 11.9. */
export function isVersion(text: string): boolean {
  return /^\d{1,4}(\.\d{1,4}){1,2}$/.test(text);
}

/** What the libvirt of a version can say, by its releases; distributions backport, which no version tells. */
export function libvirtOfVersion(version: string): LibvirtAbility {
  const has = (name: keyof typeof LIBVIRT_SINCE) => isAtLeast(version, LIBVIRT_SINCE[name]);
  return {
    name: `libvirt ${version}`,
    vsmmu: has('vsmmu') ? ALL : NONE,
    ssidsize: 'ssidsize',
    deviceIommufd: has('deviceIommufd'),
    domainIommufd: has('domainIommufd'),
  };
}

/** What the QEMU of a version can do, by its releases. */
export function qemuOfVersion(version: string): QemuAbility {
  const vsmmu = VSMMU_ATTRIBUTES.filter((name) => isAtLeast(version, QEMU_SINCE[name === 'cmdqv' ? 'cmdqv' : 'accel']));
  return { name: `QEMU ${version}`, vsmmu: new Set(vsmmu) };
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

/** What keeps a target from accelerating a vSMMU at all, with what to install. Empty: nothing. */
export function whyNoTarget({ libvirt, qemu }: Target, policy: Policy): readonly Diagnostic[] {
  const refuse = (message: string, program: string, since: string) =>
    diagnostic('target-without-acceleration', message, {
      hint: `install ${program} ${since} or newer, or a build that has this from there`,
    });
  const found: Diagnostic[] = [];
  if (!libvirt.vsmmu.has('accel')) {
    found.push(refuse(`${libvirt.name} has no way to say accel='on'`, 'libvirt', LIBVIRT_SINCE.vsmmu));
  } else if (!libvirt.deviceIommufd) {
    const message = `${libvirt.name} has no way to give a host device iommufd`;
    found.push(refuse(message, 'libvirt', LIBVIRT_SINCE.deviceIommufd));
  }
  if (policy.iommufd === 'domain' && !libvirt.domainIommufd) {
    const message = `${libvirt.name} has no way to give all host devices iommufd`;
    found.push(diagnostic('target-without-acceleration', message, { hint: 'give --iommufd device' }));
  }
  if (!qemu.vsmmu.has('accel')) {
    found.push(refuse(`${qemu.name} has no accelerated arm-smmuv3`, 'QEMU', QEMU_SINCE.accel));
  }
  return found;
}
