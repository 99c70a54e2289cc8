import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { Domain } from '../domain/domain.js';
import { LIBVIRT_SINCE, type Target } from '../domain/target.js';
import { infoOf } from '../domain/vsmmu-attributes.js';
import type { Policy } from './policy.js';

/** Whether a domain is for a machine that can have vSMMUs: QEMU's `virt` for `aarch64`. */
export function isVirtMachine(domain: Domain): boolean {
  const code = whyNotApplicable(domain)?.code;
  return code !== 'domain-not-aarch64' && code !== 'domain-not-virt';
}

/** The reason why a domain is left unchanged (rule "Applicable"), as a note; undefined: it can be changed. */
export function whyNotApplicable(domain: Domain): Diagnostic | undefined {
  if (domain.arch !== 'aarch64') {
    return diagnostic(
      'domain-not-aarch64',
      `the domain is for ${domain.arch ?? 'no architecture that it names'}, not aarch64`,
    );
  }
  const machine = domain.machine ?? 'virt';
  if (machine !== 'virt' && !machine.startsWith('virt-')) {
    return diagnostic('domain-not-virt', `the machine is ${machine}, not virt`);
  }
  if (domain.hostDevices.length === 0) {
    return diagnostic('domain-without-host-device', 'the domain has no PCI host device to place');
  }
  return undefined;
}

/** Errors for what prevents a domain from using an accelerated vSMMU (QEMU 11.1). */
export function whyNoAcceleration(domain: Domain, forceTcg: boolean): readonly Diagnostic[] {
  const location = domain.document.location(domain.document.root.start);
  const findings: Diagnostic[] = [];
  if (domain.type !== 'kvm' && !forceTcg) {
    findings.push(
      diagnostic('domain-without-kvm', `the domain is of type '${domain.type}'; an accelerated vSMMU needs KVM`, {
        location,
      }),
    );
  }
  if (!domain.acpi) {
    findings.push(
      diagnostic('domain-without-acpi', 'the domain has no <acpi/>; an accelerated vSMMU needs ACPI', { location }),
    );
  }
  return findings;
}

/** Errors for what prevents a target from accelerating a vSMMU, with what to install. */
export function whyNoTarget({ libvirt, qemu }: Target, policy: Policy): readonly Diagnostic[] {
  const refuse = (message: string, program: string, since: string) =>
    diagnostic('target-without-acceleration', message, {
      hint: `install ${program} ${since} or newer, or a build that has this from there`,
    });
  const found: Diagnostic[] = [];
  if (!libvirt.vsmmu.has('accel')) {
    found.push(refuse(`${libvirt.name} has no way to say accel='on'`, 'libvirt', infoOf('accel').since.libvirt));
  } else if (!libvirt.deviceIommufd) {
    const message = `${libvirt.name} has no way to give a host device iommufd`;
    found.push(refuse(message, 'libvirt', LIBVIRT_SINCE.deviceIommufd));
  }
  if (policy.iommufd === 'domain' && !libvirt.domainIommufd) {
    const message = `${libvirt.name} has no way to give all host devices iommufd`;
    found.push(diagnostic('target-without-acceleration', message, { hint: 'give --iommufd device' }));
  }
  if (!qemu.vsmmu.has('accel')) {
    found.push(refuse(`${qemu.name} has no accelerated arm-smmuv3`, 'QEMU', infoOf('accel').since.qemu));
  }
  return found;
}

/** The names of the QEMU devices that vsmmu plans. */
const OUR_DEVICES = /(?:^|[,={"'\s:])(pxb-pcie|arm-smmuv3|vfio-pci(?:-nohotplug)?)(?=$|[,}"'\s])/;

/** The machine-wide SMMU as `-machine` writes it; QEMU 11.1 refuses it beside those of expander buses. */
const MACHINE_IOMMU = /(?:^|,)(iommu=smmuv3)(?=$|,)/;

/** Arguments of `<qemu:commandline>` that add devices that vsmmu cannot see (rule "Other IOMMUs"). */
export function commandlineConflicts(domain: Domain): readonly Diagnostic[] {
  return domain.commandline.flatMap(({ value, location }) => {
    const [, device] = OUR_DEVICES.exec(value) ?? MACHINE_IOMMU.exec(value) ?? [];
    return device
      ? [diagnostic('commandline-conflict', `<qemu:commandline> adds ${device} by hand`, { location })]
      : [];
  });
}
