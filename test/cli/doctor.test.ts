import { mkdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderChecks } from '../../src/cli/render/doctor.js';
import { examine } from '../../src/doctor/examine.js';
import type { DoctorInput, DoctorResult } from '../../src/doctor/result.js';
import type { Bdf } from '../../src/domain/address.js';
import { libvirtOfVersion, qemuOfVersion } from '../../src/domain/target.js';
import type { SmmuFeatures, SmmuRegisters } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import type { Access, Machine } from '../../src/host/machine.js';
import type { Probe } from '../../src/host/probe/probe.js';
import { readTopology } from '../../src/host/snapshot.js';
import { changedHost } from '../host/fixture.js';
import { EMULATED_REGISTERS } from '../host/probe/emulated-smmu.js';
import { type DeviceSpec, hostOf } from '../plan/build.js';
import { REPOSITORY, vsmmu } from './run.js';

const KERNEL = '6.19.0-1-arm64';
const CONFIG = ['IOMMUFD', 'VFIO_DEVICE_CDEV', 'ARM_SMMU_V3_IOMMUFD', 'TEGRA241_CMDQV'];
const config = (names: readonly string[]) => `${names.map((name) => `CONFIG_${name}=y\n`).join('')}CONFIG_VFIO_PCI=m\n`;
const firmware = (filename: string, architecture = 'aarch64') =>
  JSON.stringify({
    'interface-types': ['uefi'],
    mapping: { device: 'flash', executable: { filename, format: 'raw' } },
    targets: [{ architecture, machines: ['virt-*'] }],
  });

const AAVMF = '/usr/share/AAVMF/AAVMF_CODE.fd';
const DESCRIPTOR = '/usr/share/qemu/firmware/60-edk2-aarch64.json';

/** The files of a host that passes all checks, with their text. */
const FILES: Readonly<Record<string, string>> = {
  '/dev/iommu': '',
  '/dev/kvm': '',
  [`/boot/config-${KERNEL}`]: config(CONFIG),
  '/sys/bus/pci/drivers/vfio-pci': '',
  [DESCRIPTOR]: firmware(AAVMF),
  [AAVMF]: '',
};

/** Returns a host with these files changed; undefined removes a file. */
function machine(
  changes: Readonly<Record<string, string | undefined>> = {},
  { architecture = 'aarch64', kernel = KERNEL, denied = '' } = {},
): Machine {
  const files = Object.entries({ ...FILES, ...changes }).filter(([, text]) => text !== undefined);
  const text = new Map(files as [string, string][]);
  return {
    architecture,
    kernel,
    read: (path) => text.get(path),
    list: (path) =>
      [...text.keys()].flatMap((file) => (file.startsWith(`${path}/`) ? [file.slice(path.length + 1)] : [])),
    access: (path): Access => (path === denied ? 'denied' : text.has(path) ? 'open' : 'absent'),
  };
}

/** A host without ACS: every device is in the group of the bridge above it. */
function withoutAcs({ topology }: Host): Host {
  const groups = new Map(topology.devices.map(({ bdf, group }) => [bdf, group]));
  const devices = topology.devices.map((device) =>
    device.bridge || device.parent === null ? device : { ...device, group: groups.get(device.parent) ?? null },
  );
  return new Host({ ...topology, devices });
}

const sample = (name: string) => readTopology(readFileSync(`${REPOSITORY}/samples/hosts/${name}.json`, 'utf8'), name);

/** A sample host whose SMMUs have these features. */
function hostWithFeatures(name: string, features: SmmuFeatures): Host {
  const { topology } = sample(name);
  return new Host({ ...topology, smmus: topology.smmus.map((smmu) => ({ ...smmu, features })) });
}

const ABLE: DoctorInput = {
  machine: machine(),
  host: hostWithFeatures('gh200', { ats: true, nesting: true, oas: 48, cmdqv: true }),
  libvirt: libvirtOfVersion('12.8'),
  qemu: qemuOfVersion('11.1'),
};

/** Removes all files. */
const nothing = Object.fromEntries(Object.keys(FILES).map((path) => [path, undefined]));

/** Returns the result for a host that passes all checks except for `changes`. */
const examined = (changes: Partial<DoctorInput>) => examine({ ...ABLE, ...changes });
const about = (checks: readonly DoctorResult[], title: RegExp) =>
  checks.find((check) => title.test(`${check.of} ${check.title}`));

describe('doctor', () => {
  it('fails if the installed hook does not run', () => {
    const file = '/etc/libvirt/hooks/qemu.d/vsmmu';
    const hook = { file, problems: ['/opt/vsmmu does not run: it was ended by SIGSEGV'] };
    expect(about(examined({ hook }), /hook/)).toMatchObject({ grade: 'fail', found: hook.problems[0] });
    expect(about(examined({ hook: { file, problems: [] } }), /hook/)).toMatchObject({ grade: 'pass', found: file });
  });

  it('passes a host that has everything that acceleration needs', () => {
    expect(examined({}).filter(({ grade }) => grade !== 'pass')).toEqual([]);
  });

  it('prints lines of at most 80 columns', async () => {
    const text = renderChecks(examined({ host: sample('dense') }), { quiet: false, verbose: false });
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
    await expect(text).toMatchFileSnapshot('../fixtures/doctor.txt');
  });

  it('reports a host that is not an Arm host, and checks the rest', () => {
    const checks = examined({ machine: machine({}, { architecture: 'x86_64' }), host: sample('x86') });
    expect(about(checks, /Arm machine/)).toMatchObject({
      grade: 'fail',
      found: expect.stringContaining('this machine is x86_64'),
    });
    expect(about(checks, /QEMU for arm-smmuv3/)).toMatchObject({ grade: 'pass' });
  });

  it.each<[title: string, check: RegExp, changes: Partial<DoctorInput>, grade: string, message: string]>([
    ['no SMMUv3', /SMMUv3s/, { host: sample('x86') }, 'fail', 'none in /sys/class/iommu'],
    ['no /sys to read', /SMMUv3s/, { host: sample('x86'), hostProblem: '/sys: gone' }, 'fail', '/sys: gone'],
    [
      'SMMUs without nested translation',
      /nested/,
      { host: hostWithFeatures('gh200', { nesting: false }) },
      'fail',
      'no SMMU supports',
    ],
    [
      'a kernel log that no longer has the messages',
      /nested/,
      { host: sample('gh200') },
      'warn',
      'log does not show it',
    ],
    [
      'devices that share a group',
      /IOMMU groups/,
      { host: sample('dense') },
      'warn',
      '2: their devices stay on pcie.0',
    ],
    [
      'a host where every device shares its group with the port above it',
      /devices behind/,
      { host: withoutAcs(sample('gh200')) },
      'fail',
      '0 of',
    ],
    [
      'command queues, and a kernel without a driver for them',
      /command queues/,
      {
        host: sample('gh200'),
        machine: machine({
          '/sys/bus/acpi/devices/NVDA200C:00': '',
          [`/boot/config-${KERNEL}`]: config(CONFIG.filter((name) => name !== 'TEGRA241_CMDQV')),
        }),
      },
      'warn',
      '1 unit in ACPI',
    ],
    [
      'an old kernel',
      /Linux 6\.19/,
      { machine: machine({}, { kernel: '6.18.3-arm64' }) },
      'warn',
      'Linux 6.18.3-arm64 lacks',
    ],
    [
      'a kernel without IOMMUFD',
      /the required options/,
      { machine: machine({ [`/boot/config-${KERNEL}`]: config(['KVM']) }) },
      'fail',
      'without CONFIG_IOMMUFD',
    ],
    [
      'a kernel whose options are unknown',
      /the required options/,
      { machine: machine({ [`/boot/config-${KERNEL}`]: undefined }) },
      'warn',
      'neither',
    ],
    ['no /dev/iommu', /dev.iommu/, { machine: machine({ '/dev/iommu': undefined }) }, 'fail', 'does not exist'],
    [
      'a /dev/kvm that this user may not open',
      /dev.kvm/,
      { machine: machine({}, { denied: '/dev/kvm' }) },
      'warn',
      'may not open it',
    ],
    [
      'no vfio-pci',
      /vfio-pci/,
      { machine: machine({ '/sys/bus/pci/drivers/vfio-pci': undefined, [`/boot/config-${KERNEL}`]: '' }) },
      'fail',
      'not available',
    ],
    [
      'vfio-pci as a module',
      /vfio-pci/,
      {
        machine: machine({
          '/sys/bus/pci/drivers/vfio-pci': undefined,
          [`/lib/modules/${KERNEL}/modules.dep`]: 'kernel/drivers/vfio/pci/vfio-pci.ko.xz:\n',
        }),
      },
      'pass',
      'a module',
    ],
    ['no QEMU', /arm-smmuv3/, { qemu: undefined }, 'fail', 'no qemu-system-aarch64'],
    ['a QEMU without accel', /arm-smmuv3/, { qemu: qemuOfVersion('10.2') }, 'fail', 'no property accel'],
    [
      'no firmware',
      /firmware/,
      { machine: machine({ [DESCRIPTOR]: firmware(AAVMF, 'x86_64') }) },
      'fail',
      'describes none',
    ],
    [
      'firmware that is described but missing',
      /firmware/,
      { machine: machine({ [AAVMF]: undefined }) },
      'fail',
      `${AAVMF} does not exist`,
    ],
    [
      'firmware that an empty file masks',
      /firmware/,
      { machine: machine({ '/etc/qemu/firmware/60-edk2-aarch64.json': '' }) },
      'fail',
      'describes none',
    ],
    ['no libvirt', /accel and iommufd/, { libvirt: undefined }, 'fail', 'no schema'],
    [
      'a libvirt without accel',
      /accel and iommufd/,
      { libvirt: libvirtOfVersion('12.2') },
      'fail',
      'does not know accel',
    ],
    [
      'a libvirt without iommufd',
      /accel and iommufd/,
      { libvirt: libvirtOfVersion('11.3') },
      'fail',
      'and iommufd in the <driver>',
    ],
  ])('reports %s', (_, check, changes, grade, message) => {
    expect(about(examined(changes), check)).toMatchObject({ grade, found: expect.stringContaining(message) });
  });

  describe('with a probe', () => {
    const [smmu] = sample('gh200').smmus;
    const registers: SmmuRegisters = EMULATED_REGISTERS;
    const probe: Probe = {
      device: '0009:01:00.0' as Bdf,
      smmu: smmu?.name ?? '',
      features: { nesting: true, cmdqv: false, ats: false, ril: true, ssidsize: 0, oas: 44 },
      registers,
    };

    it('prints the properties of the SMMU', () => {
      const check = about(examined({ probes: [probe] }), /SMMU of/);
      expect(check).toMatchObject({ grade: 'pass', title: 'the SMMU of 0009:01:00.0', found: smmu?.name });
      expect(check?.details).toEqual([
        'nesting, no cmdqv, no ats, ril, ssidsize=0, oas=44',
        'translation granules 4K 16K 64K, tables aarch64, little endian',
        'stream tables of 2 levels, stream IDs of 16 bits',
        'IIDR 0x00000000, AIDR 0x00000001',
      ]);
      const lines = renderChecks(examined({ probes: [probe] }), { quiet: false, verbose: true }).split('\n');
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
    });

    it('fails if QEMU refuses the SMMU', () => {
      const check = about(
        examined({ probes: [{ ...probe, registers: { ...registers, granules: [4, 64] } }] }),
        /SMMU of/,
      );
      expect(check).toMatchObject({
        grade: 'fail',
        found: `QEMU refuses ${smmu?.name}: no 16K translation granule`,
        remedy: expect.stringContaining('--bypass'),
      });
    });

    it('fails without nested translation, whatever the kernel log shows', () => {
      const notNested = 'it has no S2FWB';
      expect(about(examined({ probes: [{ ...probe, notNested }] }), /nested/)).toMatchObject({
        grade: 'fail',
        found: 'not supported by 1 SMMU',
        details: [`${smmu?.name}: ${notNested}`],
      });
    });
  });

  const bare = {
    machine: machine({}, { kernel: '5.10' }),
    host: sample('dense'),
    libvirt: undefined,
    qemu: undefined,
  };

  it('prints what is wrong with a machine that has nothing, and what to do about it', async () => {
    const text = renderChecks(
      examined({ machine: machine(nothing, { architecture: 'x86_64', kernel: '5.10' }), host: sample('x86') }),
      { quiet: false, verbose: false },
    );
    await expect(text).toMatchFileSnapshot('../fixtures/doctor-nothing.txt');
    const quiet = renderChecks(examined(bare), { quiet: true, verbose: false });
    await expect(quiet).toMatchFileSnapshot('../fixtures/doctor-failures.txt');
  });

  it.each(['fail', 'warn'])('prints a remedy with each %s', (grade) => {
    const found = examined(bare).filter((check) => check.grade === grade);
    expect(found.length).toBeGreaterThan(1);
    expect(found.filter(({ remedy = '' }) => remedy === '')).toEqual([]);
  });

  it('prints only failures with --quiet', () => {
    expect(renderChecks(examined({}), { quiet: true, verbose: false })).toBe('');
    const text = renderChecks(examined({ qemu: undefined }), { quiet: true, verbose: false });
    expect(text).toMatch(/^ {3}QEMU: Checking for arm-smmuv3 .*FAIL/);
  });

  it('lists every device with --verbose', () => {
    const [few, all] = [false, true].map((verbose) =>
      renderChecks(examined({ host: sample('dense') }), { quiet: false, verbose }),
    );
    expect(few).toContain('… and 11 more (--verbose)');
    expect(all).toContain('0009:06:00.0 NVMe');
  });
});

describe('doctor on nested translation', () => {
  const [first, second] = sample('dense').smmus.map(({ name }) => name);
  const nesting = (names: readonly string[]) => {
    const { topology } = hostWithFeatures('dense', { nesting: true });
    const smmus = topology.smmus.map((smmu) =>
      names.includes(smmu.name) ? { ...smmu, features: { nesting: false } } : smmu,
    );
    return about(examined({ host: new Host({ ...topology, smmus }) }), /nested/);
  };

  it('passes only if each SMMU supports both stages', () => {
    expect(nesting([])).toMatchObject({ grade: 'pass', found: 'all support both stages' });
    const { topology } = hostWithFeatures('dense', { nesting: true });
    const smmus = topology.smmus.map((smmu, n) => (n === 0 ? { ...smmu, features: {} } : smmu));
    expect(about(examined({ host: new Host({ ...topology, smmus }) }), /nested/)).toMatchObject({ grade: 'warn' });
  });

  it('names the SMMUs that do not support it', () => {
    const found = `without both stages: ${first}, ${second}`;
    expect(nesting([first ?? '', second ?? ''])).toMatchObject({ grade: 'fail', found });
  });

  it('counts the SMMUs for which the kernel refuses it', () => {
    const host = sample('dense');
    const probes = host.smmus.map(({ name: smmu }): Probe => {
      const features = { nesting: false };
      return { device: '0009:01:00.0' as Bdf, smmu, features, registers: EMULATED_REGISTERS, notNested: 'it cannot' };
    });
    const found = (some: readonly Probe[]) => about(examined({ host, probes: some }), /nested/)?.found;
    expect([found(probes.slice(0, 2)), found(probes)]).toEqual([
      'not supported by 2 SMMUs',
      'not supported by any SMMU',
    ]);
  });
});

describe('doctor on devices and their groups', () => {
  const devices = (list: readonly DeviceSpec[]) => {
    const checks = examined({ host: hostOf(1, list) });
    return [about(checks, /devices behind/), about(checks, /IOMMU groups/)].map(
      (check) => check && [check.grade, check.found, check.details],
    );
  };

  it('warns if no device is behind an SMMU', () => {
    const [behind] = devices([{ bdf: '0000:01:00.0', smmu: null }]);
    expect(behind).toEqual(['warn', 'none', undefined]);
  });

  it('shows the drivers of the devices, and which have none', () => {
    const [behind] = devices([
      { bdf: '0000:01:00.0', driver: null },
      { bdf: '0000:02:00.0', driver: 'nvme' },
      { bdf: '0000:03:00.0' },
    ]);
    expect(behind).toEqual([
      'pass',
      '3 of 3 alone in their IOMMU group, 1 of them bound to a vfio driver',
      ['0000:01:00.0 Ethernet, no driver', '0000:02:00.0 Ethernet, nvme', '0000:03:00.0 Ethernet, vfio-pci'],
    ]);
  });

  it.each<[title: string, list: DeviceSpec[], result: unknown[]]>([
    ['alone in its group', [{ bdf: '0000:01:00.0' }], ['pass', 'none', undefined]],
    [
      'in no group',
      [{ bdf: '0000:01:00.0', group: null }],
      ['pass', 'none', ['in no group, so they cannot be assigned: 0000:01:00.0']],
    ],
    [
      'of the host, with the bridge above it',
      [
        { bdf: '0000:00:00.0', bridge: true, group: 7 },
        { bdf: '0000:01:00.0', group: 7, driver: 'ast' },
      ],
      ['pass', '1: their devices stay on pcie.0, behind no vSMMU', ['group 7: bridge 0000:00:00.0 0000:01:00.0']],
    ],
    [
      'held by vfio, with the bridge above it',
      [
        { bdf: '0000:00:00.0', bridge: true, group: 7 },
        { bdf: '0000:01:00.0', group: 7 },
      ],
      ['warn', '1: their devices stay on pcie.0, behind no vSMMU', ['group 7: bridge 0000:00:00.0 0000:01:00.0']],
    ],
    [
      'of the host, with another one',
      [
        { bdf: '0000:01:00.0', group: 7, driver: null },
        { bdf: '0000:01:00.1', group: 7, driver: null },
        { bdf: '0000:02:00.0', group: null },
      ],
      [
        'warn',
        '1: their devices stay on pcie.0, behind no vSMMU',
        ['group 7: 0000:01:00.0 0000:01:00.1', 'in no group, so they cannot be assigned: 0000:02:00.0'],
      ],
    ],
  ])('shows a device %s', (_, list, result) => {
    expect(devices(list)[1]).toEqual(result);
  });
});

describe('doctor on command queues', () => {
  const units = (...numbers: number[]) =>
    Object.fromEntries(numbers.map((n) => [`/sys/bus/acpi/devices/NVDA200C:0${n}`, '']));
  const without = { [`/boot/config-${KERNEL}`]: config([]) };
  it.each<[title: string, cmdqv: boolean, files: Readonly<Record<string, string>>, grade: string, found: string]>([
    ['none', false, without, 'pass', 'none; few SMMUs have them'],
    ['of a kernel with the driver', false, units(0, 1), 'pass', '2 units in ACPI'],
    [
      'of a kernel without it',
      false,
      { ...units(0, 1), ...without },
      'warn',
      '2 units in ACPI, but nothing shows that the kernel uses them',
    ],
    ['in the kernel log', true, without, 'pass', 'on 1 SMMU'],
  ])('reports them: %s', (_, cmdqv, files, grade, found) => {
    const { topology } = hostWithFeatures('gh200', {});
    const smmus = topology.smmus.map((smmu, n) => (n === 0 ? { ...smmu, features: { cmdqv } } : smmu));
    const checks = examined({ host: new Host({ ...topology, smmus }), machine: machine(files) });
    expect(about(checks, /command queues/)).toMatchObject({ grade, found });
  });
});

describe('doctor on the kernel', () => {
  it.each([
    ['5.30.1', 'warn'],
    ['6.18.0', 'warn'],
    ['6.19.0', 'pass'],
    ['6.20-rc1', 'pass'],
    ['7.0.0', 'pass'],
  ])('knows whether %s is new enough: %s', (kernel, grade) => {
    expect(about(examined({ machine: machine({}, { kernel }) }), /Linux 6.19/)).toMatchObject({ grade });
  });

  it('lists the options that are missing', () => {
    const some = config(['IOMMUFD', 'ARM_SMMU_V3_IOMMUFD']);
    expect(
      about(examined({ machine: machine({ [`/boot/config-${KERNEL}`]: some }) }), /required options/),
    ).toMatchObject({
      grade: 'fail',
      found: 'without CONFIG_VFIO_DEVICE_CDEV',
      details: ['CONFIG_VFIO_DEVICE_CDEV is for /dev/vfio/devices, through which QEMU opens a device for iommufd'],
    });
  });

  it.each<[title: string, files: Readonly<Record<string, string>>, grade: string]>([
    ['a module by its configuration', { [`/boot/config-${KERNEL}`]: 'CONFIG_VFIO_PCI=m\n' }, 'pass'],
    ['built in', { [`/lib/modules/${KERNEL}/modules.builtin`]: 'kernel/drivers/vfio/pci/vfio-pci.ko\n' }, 'pass'],
    ['of another kernel', { '/lib/modules/6.1.0/modules.dep': 'kernel/drivers/vfio/pci/vfio-pci.ko\n' }, 'fail'],
  ])('finds a vfio-pci that is not loaded: %s', (_, files, grade) => {
    const found = examined({
      machine: machine({
        '/sys/bus/pci/drivers/vfio-pci': undefined,
        [`/boot/config-${KERNEL}`]: undefined,
        ...files,
      }),
    });
    expect(about(found, /vfio-pci/)).toMatchObject({ grade });
  });

  it('suggests another kernel, not modprobe, if iommufd is not built', () => {
    const remedy = (names: readonly string[]) =>
      about(
        examined({ machine: machine({ '/dev/iommu': undefined, [`/boot/config-${KERNEL}`]: config(names) }) }),
        /dev.iommu/,
      )?.remedy;
    expect(remedy(['IOMMUFD'])).toMatch(/^run modprobe iommufd/);
    expect(remedy([])).toMatch(/^use a kernel that is built with IOMMUFD/);
  });
});

describe('vsmmu doctor', () => {
  it('exits with 1 if a check fails, and its JSON agrees', () => {
    const { code, stdout, stderr } = vsmmu(['doctor', '--json']);
    const { able, checks } = JSON.parse(stdout);
    expect({ able, stderr }).toEqual({ able: code === 0, stderr: '' });
    expect(checks.some(({ grade }: DoctorResult) => grade === 'fail')).toBe(!able);
  });

  it('reads another /sys', () => {
    const folder = changedHost((at) => mkdirSync(at('bus/acpi/devices/NVDA200C:00'), { recursive: true }));
    const { stdout } = vsmmu(['doctor', '--sysfs', folder, '--json']);
    const { checks }: { checks: DoctorResult[] } = JSON.parse(stdout);
    expect(about(checks, /SMMUv3s/)).toMatchObject({ grade: 'pass', found: '5' });
    expect(about(checks, /command queues/)?.found).toContain('1 unit in ACPI');
  });

  it('reads a snapshot instead of this host', () => {
    expect(vsmmu(['doctor', '--topology', 'samples/hosts/gh200.json']).stdout).toContain('smmu3.0x0000000005000000');
  });

  it.each([
    ['an operand', ['doctor', 'vm.xml'], 2],
    ['a --sysfs that is not a folder', ['doctor', '--sysfs', '/nowhere'], 3],
  ])('refuses %s', (_, args, exitCode) => {
    expect(vsmmu(args)).toMatchObject({ code: exitCode, stdout: '' });
  });
});
