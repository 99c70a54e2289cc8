import { count } from '../diagnostics/words.js';
import { missingForVsmmu } from '../domain/smmu-registers.js';
import type { SmmuFeatures } from '../generated/topology.js';
import { classInWords } from '../host/class-names.js';
import { ACPI_DEVICES, CMDQV_ID } from '../host/features.js';
import type { Host } from '../host/host.js';
import { kernelConfig, type Machine } from '../host/machine.js';
import type { Probe } from '../host/probe/probe.js';
import type { DoctorInput, DoctorResult } from './result.js';

/** Checks the hardware as Linux shows it. */
export function examineHost({ machine, host, hostProblem, probes = [] }: DoctorInput): DoctorResult[] {
  const of = 'Host';
  const { architecture } = machine;
  const isArm = architecture === 'aarch64';
  const checks: DoctorResult[] = [
    {
      of,
      title: 'for an Arm machine',
      grade: isArm ? 'pass' : 'fail',
      found: isArm ? architecture : `this machine is ${architecture}, and only Arm machines have SMMUv3s`,
      ...(!isArm && { remedy: 'run this on the host itself; the other checks describe this machine' }),
    },
  ];
  const { smmus } = host;
  if (smmus.length === 0) {
    const remedy = 'check that the firmware describes SMMUv3s in the IORT, and that the kernel has CONFIG_ARM_SMMU_V3';
    return [
      ...checks,
      { of, title: 'for SMMUv3s', grade: 'fail', found: hostProblem ?? 'none in /sys/class/iommu', remedy },
    ];
  }
  checks.push({ of, title: 'for SMMUv3s', grade: 'pass', found: `${smmus.length}`, details: smmuLines(host) });
  return [
    ...checks,
    ...probes.map(examineProbe),
    examineNesting(host, probes),
    examineDevices(host),
    examineGroups(host),
    examineQueues(host, machine),
  ];
}

/** Returns lines such as `smmu3.0x… on node 0: 4 devices, ats, oas=48`. */
function smmuLines(host: Host): string[] {
  return host.smmus.map(({ name, features = {} }) => {
    const node = host.smmuNode(name);
    const what = [count(host.endpointsBehind(name).length, 'device'), ...featureWords(features)].join(', ');
    return `${name}${node === null ? '' : ` on node ${node}`}: ${what}`;
  });
}

function featureWords(features: SmmuFeatures): string[] {
  return Object.entries(features).map(([key, value]) =>
    typeof value === 'boolean' ? (value ? key : `no ${key}`) : `${key}=${value}`,
  );
}

/** Reports the properties of a probed SMMU, and whether QEMU accepts it. */
function examineProbe({ device, smmu, features, registers }: Probe): DoctorResult {
  const { granules, streamTableLevels, streamIdBits, endianness, tableFormats, iidr, aidr } = registers;
  const missing = missingForVsmmu(registers);
  return {
    of: 'Host',
    title: `the SMMU of ${device}`,
    grade: missing.length === 0 ? 'pass' : 'fail',
    found: missing.length === 0 ? smmu : `QEMU refuses ${smmu}: ${missing.join(', ')}`,
    ...(missing.length > 0 && { remedy: 'leave its devices on pcie.0 (--bypass)' }),
    details: [
      featureWords(features).join(', '),
      `translation granules ${granules.map((size) => `${size}K`).join(' ')}, tables ${tableFormats.join(' ')}, ${endianness} endian`,
      `stream tables of ${streamTableLevels} levels, stream IDs of ${streamIdBits} bits`,
      `IIDR ${iidr}, AIDR ${aidr}`,
    ],
  };
}

function examineNesting({ smmus }: Host, probes: readonly Probe[]): DoctorResult {
  const check = { of: 'Host', title: 'for nested translation' } as const;
  const refused = probes.flatMap(({ smmu, notNested }) => (notNested === undefined ? [] : [`${smmu}: ${notNested}`]));
  if (refused.length > 0) {
    return {
      ...check,
      grade: 'fail',
      found: `not supported by ${refused.length === smmus.length ? 'any SMMU' : count(refused.length, 'SMMU')}`,
      remedy: 'none on this hardware, unless newer firmware or a newer kernel supports it',
      details: refused,
    };
  }
  const without = smmus.filter(({ features }) => features?.nesting === false);
  if (without.length > 0) {
    return {
      ...check,
      grade: 'fail',
      found:
        without.length === smmus.length
          ? 'no SMMU supports both stages'
          : `without both stages: ${without.map(({ name }) => name).join(', ')}`,
      remedy: 'none on this hardware; if this host is a guest itself, start its QEMU with arm-smmuv3,stage=nested',
    };
  }
  if (smmus.every(({ features }) => features?.nesting))
    return { ...check, grade: 'pass', found: 'all support both stages' };
  return {
    ...check,
    grade: 'warn',
    found: 'the kernel log does not show it',
    remedy: "run as root, soon after a boot: journalctl -k -b | grep 'arm-smmu-v3.*features'",
  };
}

function examineDevices(host: Host): DoctorResult {
  const behind = host.endpoints.filter(({ smmu }) => smmu !== null);
  const placeable = behind.filter((device) => host.isIsolated(device));
  const check = { of: 'Host', title: 'for devices behind the SMMUs' } as const;
  if (behind.length === 0) {
    const remedy = 'none can be behind a vSMMU: check which slots the firmware puts behind the SMMUs';
    return { ...check, grade: 'warn', found: 'none', remedy };
  }
  const vfio = placeable.filter((device) => device.vfio).length;
  return {
    ...check,
    grade: placeable.length > 0 ? 'pass' : 'fail',
    found: `${placeable.length} of ${behind.length} alone in their IOMMU group, ${vfio} of them bound to a vfio driver`,
    ...(placeable.length === 0 && { remedy: 'none can be placed behind a vSMMU: enable ACS in the firmware' }),
    details: placeable.map(({ bdf, class: code, driver }) => `${bdf} ${classInWords(code)}, ${driver ?? 'no driver'}`),
  };
}

function examineGroups(host: Host): DoctorResult {
  const check = { of: 'Host', title: 'for IOMMU groups of several devices' } as const;
  const groups = new Map(
    host.endpoints.flatMap(({ group }) => (group === null ? [] : [[group, host.groupMembers(group)]])),
  );
  const shared = [...groups].filter(([, members]) => members.length > 1);
  const ungrouped = host.endpoints.filter(({ group }) => group === null);
  const details = [
    ...shared.map(
      ([group, members]) =>
        `group ${group}: ${members.map(({ bdf, bridge }) => (bridge ? `bridge ${bdf}` : bdf)).join(' ')}`,
    ),
    ...(ungrouped.length > 0
      ? [`in no group, so they cannot be assigned: ${ungrouped.map(({ bdf }) => bdf).join(' ')}`]
      : []),
  ];
  if (shared.length === 0) return { ...check, grade: 'pass', found: 'none', ...(details.length > 0 && { details }) };
  const found = `${shared.length}: their devices stay on pcie.0, behind no vSMMU`;
  // A group of one device and the bridge above it is usual for the display of a management controller, which is not
  // assigned to guests.
  const matters = shared.some(([, members]) => {
    const endpoints = members.filter(({ bridge }) => !bridge);
    return endpoints.length > 1 || endpoints.some(({ vfio }) => vfio);
  });
  if (!matters) return { ...check, grade: 'pass', found, details };
  return {
    ...check,
    grade: 'warn',
    found,
    remedy: 'enable ACS in the firmware or the switches, if they have it; see vsmmu explain group-shared',
    details,
  };
}

function examineQueues({ smmus }: Host, machine: Machine): DoctorResult {
  const check = { of: 'Host', title: 'for command queues (CMDQV)' } as const;
  const units = machine.list(`/sys/${ACPI_DEVICES}`).filter((name) => name.startsWith(CMDQV_ID)).length;
  const queued = smmus.filter(({ features }) => features?.cmdqv).length;
  if (queued === 0 && units === 0) return { ...check, grade: 'pass', found: 'none; few SMMUs have them' };
  if (kernelConfig(machine)?.get('TEGRA241_CMDQV') === undefined && queued === 0) {
    const found = `${count(units, 'unit')} in ACPI, but nothing shows that the kernel uses them`;
    return { ...check, grade: 'warn', found, remedy: 'use a kernel with CONFIG_TEGRA241_CMDQV' };
  }
  return {
    ...check,
    grade: 'pass',
    found: queued > 0 ? `on ${count(queued, 'SMMU')}` : `${count(units, 'unit')} in ACPI`,
  };
}
