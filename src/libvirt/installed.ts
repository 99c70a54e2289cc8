import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError, InputError } from '../diagnostics/errors.js';
import { libvirtTooOld, targetUnknown } from '../diagnostics/libvirt.js';
import { usage } from '../diagnostics/usage.js';
import {
  isVersion,
  type LibvirtFeatures,
  libvirtOfVersion,
  NVIDIA_STACK,
  type QemuFeatures,
  qemuOfVersion,
  type Target,
  UPSTREAM,
} from '../domain/target.js';
import { qemuNames, spellingOf, spellingsOf, VSMMU_ATTRIBUTES, VSMMU_DIALECTS } from '../domain/vsmmu-attributes.js';
import { systemCode } from '../io/errors.js';

/** The features that the libvirt and the QEMU of a machine report; undefined if not installed. */
export interface Installed {
  /** Returns libvirt's RELAX NG schema of a domain, with all its files in one text. */
  schema(): Promise<string | undefined>;
  /** Returns the output of `qemu-system-aarch64 -M virt -device arm-smmuv3,help`, including standard error. */
  smmuHelp(): Promise<string | undefined>;
  /** Returns the output of `qemu-system-aarch64 -M help`. */
  machineHelp(): Promise<string | undefined>;
}

/** The folder where libvirt installs its schemas, which `virsh define --validate` uses. */
const SCHEMAS = '/usr/share/libvirt/schemas';
const SCHEMA = `${SCHEMAS}/domaincommon.rng`;

/** The schema files that are read; the `<driver>` of a host device is in the second (libvirt 12.8). */
export const SCHEMA_FILES: readonly string[] = [SCHEMA, `${SCHEMAS}/basictypes.rng`];

/** QEMU for Arm: its usual name, and the name of the only QEMU in RHEL and its derivatives. */
const EMULATORS = ['qemu-system-aarch64', '/usr/libexec/qemu-kvm'];

/** The software that is installed on this machine. */
export const LOCAL_SOFTWARE: Installed = {
  schema: async () => {
    try {
      const texts = await Promise.all(SCHEMA_FILES.map((file) => readFile(file, 'utf8')));
      return texts.join('\n');
    } catch {
      return undefined;
    }
  },
  smmuHelp: () => qemuHelp(['-M', 'virt', '-device', 'arm-smmuv3,help']),
  machineHelp: () => qemuHelp(['-M', 'help']),
};

async function qemuHelp(args: readonly string[]): Promise<string | undefined> {
  for (const program of EMULATORS) {
    const help = await helpOf(program, args);
    if (help !== undefined) return help;
  }
  return undefined;
}

function helpOf(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 10_000 }, (error, stdout, stderr) =>
      resolve(systemCode(error) === 'ENOENT' ? undefined : stdout + stderr),
    );
  });
}

/**
 * Returns the target of a command line. libvirt and QEMU are each a version, `here` for the installed one, or `nvidia` for
 * NVIDIA's packages. The default is current upstream; for QEMU with libvirt `nvidia`, it is NVIDIA's QEMU.
 * @throws InputError `usage` for anything else; EnvironmentError `target-unknown` if the program is not installed
 */
export async function resolveTarget(
  asked: { readonly libvirt: string | undefined; readonly qemu: string | undefined },
  installed: Installed = LOCAL_SOFTWARE,
): Promise<Target> {
  for (const [option, text] of Object.entries(asked)) {
    if (text === undefined || text === 'here' || text === 'nvidia' || isVersion(text)) continue;
    const expected = 'a version such as 12.8.0, here, or nvidia';
    throw new InputError(usage.value({ option: `--${option}`, expected, value: text }));
  }
  const libvirt = asked.libvirt === 'nvidia' ? NVIDIA_STACK.libvirt : asked.libvirt;
  const isNvidia = asked.qemu === 'nvidia' || (asked.qemu === undefined && asked.libvirt === 'nvidia');
  const qemu = isNvidia ? NVIDIA_STACK.qemu : asked.qemu;
  return {
    libvirt:
      libvirt === 'here'
        ? readSchema(await installed.schema())
        : libvirt === undefined
          ? UPSTREAM.libvirt
          : libvirtOfVersion(libvirt),
    qemu:
      qemu === 'here' ? readHelp(await installed.smmuHelp()) : qemu === undefined ? UPSTREAM.qemu : qemuOfVersion(qemu),
  };
}

/**
 * Returns a warning if the libvirt whose schemas are in a folder would drop the attributes that accelerate a vSMMU. Reads only
 * the schemas and starts no process.
 */
export function reportOldLibvirt(folder: string): readonly Diagnostic[] {
  let schema: string;
  try {
    schema = SCHEMA_FILES.map((file) => readFileSync(join(folder, basename(file)), 'utf8')).join('\n');
  } catch {
    return [];
  }
  const { vsmmu, deviceIommufd } = readSchema(schema);
  if (vsmmu.has('accel') && deviceIommufd) return [];
  return [libvirtTooOld({ iommufd: deviceIommufd })];
}

/** Returns what a libvirt supports, according to its schema. */
export function readSchema(schema: string | undefined): LibvirtFeatures {
  if (schema === undefined)
    throw new EnvironmentError(
      targetUnknown({ program: 'libvirt', package: 'libvirt (Debian: libvirt-common)', file: SCHEMA }),
    );
  // Other elements have attributes such as `ats`, too, so only this definition is searched.
  const iommu = /<define name="iommu">[\s\S]*?<\/define>/.exec(schema)?.[0] ?? '';
  const declares = (text: string, name: string) => text.includes(`<attribute name="${name}">`);
  const vsmmu = VSMMU_ATTRIBUTES.filter((name) => spellingsOf(name).some((spelling) => declares(iommu, spelling)));
  return {
    name: 'the installed libvirt',
    vsmmu: new Set(vsmmu),
    dialect:
      VSMMU_DIALECTS.find((each) => vsmmu.every((name) => declares(iommu, spellingOf(name, each)))) ?? 'upstream',
    deviceIommufd: declares(schema, 'iommufd'),
    domainIommufd: schema.includes('<element name="iommufd">'),
  };
}

/** Returns what a QEMU supports, according to the help of its arm-smmuv3: one line per property, `  accel=<bool> …`. */
export function readHelp(help: string | undefined): QemuFeatures {
  if (help === undefined) {
    const file = 'qemu-system-aarch64';
    throw new EnvironmentError(
      targetUnknown({ program: 'QEMU', package: 'QEMU for Arm (Debian: qemu-system-arm)', file }),
    );
  }
  return {
    name: 'the installed QEMU',
    vsmmu: new Set(
      VSMMU_ATTRIBUTES.filter((name) =>
        help.match(/^\s*[\w-]+(?==)/gm)?.some((said) => qemuNames(name).includes(said.trim())),
      ),
    ),
  };
}

/**
 * Adds the machine types of the installed QEMU to a target, for domains that were defined when an older one was
 * installed.
 * @param target a target with the installed QEMU
 */
export async function withMachines(target: Target, installed: Installed = LOCAL_SOFTWARE): Promise<Target> {
  const help = (await installed.machineHelp()) ?? '';
  // One line per machine, `virt-11.1  QEMU 11.1 ARM Virtual Machine`, below a heading.
  const machines = new Set([...help.replace(/^.*:$/m, '').matchAll(/^(\S+) +\S/gm)].map(([, name = '']) => name));
  // If QEMU did not answer, its machine types are unknown.
  return machines.has('virt') ? { ...target, qemu: { ...target.qemu, machines } } : target;
}
