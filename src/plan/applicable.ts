import type { Diagnostic } from '../diagnostics/diagnostic.js';
import {
  domainNotAarch64,
  domainNotVirt,
  domainWithoutAcpi,
  domainWithoutHostDevice,
  domainWithoutKvm,
} from '../diagnostics/domain.js';
import { targetWithoutAcceleration } from '../diagnostics/vsmmu.js';
import type { Domain } from '../domain/domain.js';
import { LIBVIRT_SINCE, type Target } from '../domain/target.js';
import { infoOf } from '../domain/vsmmu-attributes.js';
import type { Policy } from '../policy/policy.js';

/** Returns whether a domain is for a machine that can have vSMMUs: QEMU's `virt` for `aarch64`. */
export function isVirtMachine(domain: Domain): boolean {
  const code = whyNotApplicable(domain)?.code;
  return code !== domainNotAarch64.code && code !== domainNotVirt.code;
}

/** Returns why a domain is left unchanged (rule "Applicable"), as a note; undefined if it can be changed. */
export function whyNotApplicable(domain: Domain): Diagnostic | undefined {
  if (domain.arch !== 'aarch64') return domainNotAarch64({ arch: domain.arch });
  const machine = domain.machine ?? 'virt';
  if (machine !== 'virt' && !machine.startsWith('virt-')) return domainNotVirt({ machine });
  if (domain.hostDevices.length === 0) return domainWithoutHostDevice();
  return undefined;
}

/** Returns an error for each reason why a domain cannot use an accelerated vSMMU (QEMU 11.1). */
export function accelerationDiagnostics(domain: Domain, forceTcg: boolean): readonly Diagnostic[] {
  const location = domain.document.location(domain.document.root.start);
  return [
    ...(domain.type !== 'kvm' && !forceTcg ? [domainWithoutKvm({ type: domain.type, location })] : []),
    ...(domain.acpi ? [] : [domainWithoutAcpi({ location })]),
  ];
}

/** Returns an error for each reason why a target cannot accelerate a vSMMU, with what to install. */
export function targetDiagnostics({ libvirt, qemu }: Target, policy: Policy): readonly Diagnostic[] {
  const { libvirtAccel, libvirtIommufd, libvirtDomainIommufd, qemuAccel } = targetWithoutAcceleration;
  const { since } = infoOf('accel');
  const name = libvirt.name;
  const lacksAccel = !libvirt.vsmmu.has('accel');
  const lacksIommufd = !lacksAccel && !libvirt.deviceIommufd;
  return [
    ...(lacksAccel ? [libvirtAccel({ libvirt: name, since: since.libvirt })] : []),
    ...(lacksIommufd ? [libvirtIommufd({ libvirt: name, since: LIBVIRT_SINCE.deviceIommufd })] : []),
    ...(policy.iommufd === 'domain' && !libvirt.domainIommufd ? [libvirtDomainIommufd({ libvirt: name })] : []),
    ...(qemu.vsmmu.has('accel') ? [] : [qemuAccel({ qemu: qemu.name, since: since.qemu })]),
  ];
}
