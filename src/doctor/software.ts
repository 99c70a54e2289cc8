import type { LibvirtFeatures, QemuFeatures } from '../domain/target.js';
import { spellingOf } from '../domain/vsmmu-attributes.js';
import { type Machine, uefiFirmware } from '../host/machine.js';
import type { DoctorInput, DoctorResult } from './result.js';

/** Checks QEMU, its firmware, libvirt, and the hook if installed. */
export function examineSoftware({ machine, libvirt, qemu, hook }: DoctorInput): DoctorResult[] {
  return [examineQemu(qemu), examineFirmware(machine), examineLibvirt(libvirt), ...(hook ? [examineHook(hook)] : [])];
}

function examineHook({ file, problems: [problem] }: NonNullable<DoctorInput['hook']>): DoctorResult {
  const check = { of: 'libvirt', title: 'that the hook of vsmmu runs' } as const;
  if (problem === undefined) return { ...check, grade: 'pass', found: file };
  return { ...check, grade: 'fail', found: problem, remedy: 'reinstall vsmmu, then run vsmmu hook install' };
}

function examineQemu(qemu: QemuFeatures | undefined): DoctorResult {
  const check = { of: 'QEMU', title: 'for arm-smmuv3 with acceleration' } as const;
  if (!qemu) {
    const remedy = 'install QEMU 11.0 or newer for Arm (Debian: qemu-system-arm)';
    return { ...check, grade: 'fail', found: 'no qemu-system-aarch64', remedy };
  }
  if (!qemu.vsmmu.has('accel')) {
    return {
      ...check,
      grade: 'fail',
      found: 'its arm-smmuv3 has no property accel',
      remedy: 'install QEMU 11.0 or newer',
    };
  }
  return { ...check, grade: 'pass', found: [...qemu.vsmmu].join(' ') };
}

function examineFirmware(machine: Machine): DoctorResult {
  const check = { of: 'QEMU', title: 'for UEFI firmware for Arm guests' } as const;
  const described = uefiFirmware(machine);
  const there = described.filter((file) => machine.access(file) !== 'absent');
  if (there.length > 0) return { ...check, grade: 'pass', found: `${there.length}`, details: there };
  const remedy = 'install EDK2 for Arm (Debian: qemu-efi-aarch64): without ACPI there is no accelerated vSMMU';
  const found =
    described.length > 0
      ? `${described[0]} does not exist, although /usr/share/qemu/firmware describes it`
      : '/usr/share/qemu/firmware describes none';
  return { ...check, grade: 'fail', found, remedy };
}

function examineLibvirt(libvirt: LibvirtFeatures | undefined): DoctorResult {
  const check = { of: 'libvirt', title: 'for accel and iommufd in domains' } as const;
  if (!libvirt) {
    const remedy = 'install libvirt 12.7 or newer (Debian: libvirt-daemon-system)';
    return { ...check, grade: 'fail', found: 'no schema in /usr/share/libvirt/schemas', remedy };
  }
  const missing = [
    ...(libvirt.vsmmu.has('accel') ? [] : ['accel in the <driver> of an <iommu>']),
    ...(libvirt.deviceIommufd ? [] : ['iommufd in the <driver> of a host device']),
  ];
  if (missing.length > 0) {
    return {
      ...check,
      grade: 'fail',
      found: `libvirt does not know ${missing.join(' and ')}`,
      remedy: 'install libvirt 12.7 or newer',
    };
  }
  const said = [...libvirt.vsmmu].map((name) => spellingOf(name, libvirt.dialect));
  return { ...check, grade: 'pass', found: [...said, 'iommufd'].join(' ') };
}
