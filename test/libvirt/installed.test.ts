import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { EnvironmentError, InputError } from '../../src/diagnostics/errors.js';
import { UPSTREAM } from '../../src/domain/target.js';
import {
  type Installed,
  LOCAL_SOFTWARE,
  readHelp,
  readSchema,
  resolveTarget,
  withMachines,
} from '../../src/libvirt/installed.js';
import { temporaryFolder } from '../cli/run.js';

/** The parts of libvirt's schema that vsmmu reads; virtio's options follow, with their own `ats`. */
function schema(attributes: readonly string[], more = ''): string {
  const said = attributes.map(
    (name) => `<optional><attribute name="${name}"><ref name="virOnOff"/></attribute></optional>`,
  );
  return `<grammar>${more}<define name="iommu"><element name="iommu">${said.join('\n')}</element></define>
<define name="virtioOptions"><attribute name="ats"/><attribute name="accel3d"/></define></grammar>`;
}

const NEW = ['pciBus', 'accel', 'ats', 'ril', 'ssidsize', 'oas', 'cmdqv'];
const HELP = `arm-smmuv3 options:
  accel=<bool>           - Enable SMMUv3 accelerator support (default: off)
  ats=<OnOffAuto>        - Enable/disable ATS support (for accel=on). (default: auto)
  ssidsize=<SsidSizeMode> - (default: auto)
`;

const machine = (rng: string | undefined, help: string | undefined, machines?: string): Installed => ({
  schema: async () => rng,
  smmuHelp: async () => help,
  machineHelp: async () => machines,
});

describe('the attributes that the installed libvirt supports are read from its schema:', () => {
  it('all attributes', () => {
    const more = '<define name="iommufd"><element name="iommufd"><empty/></element></define><attribute name="iommufd">';
    expect(readSchema(schema(NEW, more))).toEqual({
      name: 'the installed libvirt',
      vsmmu: new Set(['accel', 'cmdqv', 'ats', 'ril', 'ssidsize', 'oas']),
      dialect: 'upstream',
      deviceIommufd: true,
      domainIommufd: true,
    });
  });

  it('no attribute, if the same names belong to other devices', () => {
    const { vsmmu, deviceIommufd, domainIommufd } = readSchema(schema(['pciBus']));
    expect({ vsmmu, deviceIommufd, domainIommufd }).toEqual({
      vsmmu: new Set(),
      deviceIommufd: false,
      domainIommufd: false,
    });
  });

  it('under the names of a patched libvirt', () => {
    const { vsmmu, dialect } = readSchema(schema(['accel', 'ssidSize']));
    expect([[...vsmmu], dialect]).toEqual([['accel', 'ssidsize'], 'camelCase']);
  });

  it("as a switch in NVIDIA's libvirt 11.9", () => {
    const { vsmmu, dialect } = readSchema(schema(['pciBus', 'accel', 'cmdqv', 'ats', 'ril', 'pasid', 'oas']));
    expect([[...vsmmu], dialect]).toEqual([['accel', 'cmdqv', 'ats', 'ril', 'ssidsize', 'oas'], 'pasid']);
  });
});

describe('the properties that the installed QEMU supports are read from its help:', () => {
  it('one property per line', () => expect(readHelp(HELP).vsmmu).toEqual(new Set(['accel', 'ats', 'ssidsize'])));

  it("under the names of NVIDIA's QEMU", () => {
    const help = '  accel=<bool>  - \n  pasid=<bool>  - \n  tegra241-cmdqv=<bool>  - \n';
    expect(readHelp(help).vsmmu).toEqual(new Set(['accel', 'cmdqv', 'ssidsize']));
  });

  it('nothing, if it has no such device', () => {
    expect(readHelp("qemu-system-aarch64: Device 'arm-smmuv3' not found").vsmmu).toEqual(new Set());
  });
});

describe('the installed QEMU', () => {
  it('is the first in the PATH, and its help is read from both outputs whatever its exit code', async () => {
    const folder = temporaryFolder();
    const program = join(folder, 'qemu-system-aarch64');
    writeFileSync(program, '#!/bin/sh\necho "$*"\necho warning >&2\nexit 1\n', { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await LOCAL_SOFTWARE.machineHelp()).toBe('-M help\nwarning\n');
    expect(await LOCAL_SOFTWARE.smmuHelp()).toBe('-M virt -device arm-smmuv3,help\nwarning\n');
  });
});

describe('the software that vsmmu queries is', () => {
  it('none, if versions are given', async () => {
    const target = await resolveTarget({ libvirt: '12.1', qemu: '10.2' }, machine(undefined, undefined));
    expect([target.libvirt.name, target.qemu.name]).toEqual(['libvirt 12.1', 'QEMU 10.2']);
  });

  it.each([
    [{ libvirt: 'nvidia', qemu: undefined }, 'libvirt 11.9.0+nvidia4', 'QEMU 10.1.0+nvidia1', 'pasid'],
    [{ libvirt: 'nvidia', qemu: '11.1' }, 'libvirt 11.9.0+nvidia4', 'QEMU 11.1', 'pasid'],
    [{ libvirt: undefined, qemu: 'nvidia' }, 'libvirt', 'QEMU 10.1.0+nvidia1', 'upstream'],
  ])("NVIDIA's, for nvidia: %j", async (asked, libvirt, qemu, dialect) => {
    const target = await resolveTarget(asked, machine(undefined, undefined));
    expect([target.libvirt.name, target.qemu.name, target.libvirt.dialect]).toEqual([libvirt, qemu, dialect]);
  });

  it('the installed software, for the value here', async () => {
    const target = await resolveTarget({ libvirt: 'here', qemu: 'here' }, machine(schema(NEW), HELP));
    expect([target.libvirt.name, target.qemu.name]).toEqual(['the installed libvirt', 'the installed QEMU']);
  });

  it.each(['libvirt', 'qemu'])('reported with the package to install if %s is missing', async (which) => {
    const asked = { libvirt: undefined, qemu: undefined, [which]: 'here' };
    await expect(resolveTarget(asked, machine(undefined, undefined))).rejects.toThrow(EnvironmentError);
  });

  it.each(['12', 'there', ''])('refused if the value is not a version, here or nvidia: %j', async (text) => {
    const asked = { libvirt: text, qemu: undefined };
    await expect(resolveTarget(asked, machine(undefined, undefined))).rejects.toThrow(InputError);
  });
});

describe('the machine types of the installed QEMU', () => {
  const MACHINES = `Supported machines are:
virt-11.1            QEMU 11.1 ARM Virtual Machine
virt                 QEMU 11.1 ARM Virtual Machine (alias of virt-11.1)
virt-10.0            QEMU 10.0 ARM Virtual Machine (deprecated)
none                 empty machine
`;
  const machinesOf = async (help: string | undefined) =>
    (await withMachines(UPSTREAM, machine(undefined, undefined, help))).qemu.machines;

  it('are read from its help, one per line', async () => {
    expect(await machinesOf(MACHINES)).toEqual(new Set(['virt-11.1', 'virt', 'virt-10.0', 'none']));
  });

  it.each([undefined, '', 'qemu-system-aarch64: cannot open shared object file\n'])(
    'are unknown from %j',
    async (help) => {
      expect(await machinesOf(help)).toBeUndefined();
    },
  );
});
