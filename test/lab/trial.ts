/** Tests one domain with libvirt: defines it, rewrites it, defines the result, and makes its command line. */
import type { Plan } from '../../src/generated/plan.js';
import type { GuestView as Prediction } from '../../src/guest/predict.js';
import { type PciLayout, parseArgv, pciLayout, type QemuOption } from './argv.js';
import type { Case } from './cases.js';
import { forCommandLine } from './domain.js';
import { withInterfacesInPlace } from './interfaces.js';
import type { Lab } from './lab.js';
import { LabError } from './process.js';
import { planOf, rewrite } from './vsmmu.js';

export interface Trial {
  /** The dump of libvirt before the rewrite. */
  readonly original: string;
  readonly plan: Plan;
  readonly prediction: Prediction;
  /** The output of vsmmu. */
  readonly rewritten: string;
  /** The dump of libvirt after it defined that output. */
  readonly dump: string;
}

/**
 * Defines the case's domain, rewrites its dump, and defines the result with
 * `--validate`. Leaves no domain behind. Throws LabError with the message of a refusal.
 */
export async function tryDomain(lab: Lab, { xml, options, asCreated = false }: Case): Promise<Trial> {
  const original = await definedAs(lab, xml, !asCreated);
  const { plan, guest: prediction } = await planOf(original, options);
  const rewritten = await rewrite(original, options);
  const dump = await definedAs(lab, rewritten);
  return { original, plan, prediction, rewritten, dump };
}

/** Returns the dump of a domain after libvirt defined it, and undefines it again. */
export async function definedAs(lab: Lab, xml: string, validate = true): Promise<string> {
  const uuid = await define(lab, xml, validate);
  const dump = await virsh(lab, ['dumpxml', '--inactive', '--security-info', uuid]);
  await undefine(lab, uuid);
  return dump;
}

/** Defines a domain and returns its UUID. */
export async function define(lab: Lab, xml: string, validate = true): Promise<string> {
  await virsh(lab, ['define', ...(validate ? ['--validate'] : []), '/dev/stdin'], xml);
  const name = /<name>([^<]*)<\/name>/.exec(xml)?.[1] ?? '';
  return (await virsh(lab, ['domuuid', name])).trim();
}

export async function undefine(lab: Lab, uuid: string): Promise<void> {
  await virsh(lab, ['undefine', '--nvram', uuid]);
}

/** The command line that libvirt would start a domain with, from a dump in which every device has its address. */
export async function commandLine(lab: Lab, xml: string): Promise<{ options: QemuOption[]; layout: PciLayout }> {
  const argv = await virsh(lab, ['domxml-to-native', 'qemu-argv', '/dev/stdin'], forCommandLine(xml));
  const options = withInterfacesInPlace(parseArgv(argv), xml);
  return { options, layout: pciLayout(options) };
}

/** Runs virsh and returns its output. Throws LabError with its first line if it fails. */
export async function virsh(lab: Lab, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await lab.virsh(args, input === undefined ? {} : { input });
  if (code !== 0) throw new LabError(`virsh ${args[0]}: ${stderr.trim().replaceAll('\n', '; ')}`);
  return stdout;
}
