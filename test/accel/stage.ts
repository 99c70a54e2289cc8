/** Steps that several tests run on the host. */
import { expect, inject } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import type { Plan } from '../../src/generated/plan.js';
import type { GuestView as Prediction } from '../../src/guest/predict.js';
import type { GuestDevice, GuestView } from '../lab/guest.js';
import { predictedSight, sightOf } from '../lab/prediction.js';
import type { Result } from '../lab/process.js';
import { nonPassing } from '../lab/verified.js';
import { type DomainOptions, domainXml } from './domains.js';
import { AccelGuest } from './guest.js';
import { AccelHost } from './host.js';

/** The host that setup.ts started. */
export async function openHost(): Promise<AccelHost> {
  const { folder, pid } = inject('accel');
  return await AccelHost.attach(folder, pid);
}

/** Runs vsmmu on the host. */
export function vsmmu(host: AccelHost, args: readonly string[], input?: string): Promise<Result> {
  return host.run(['vsmmu', ...args], input === undefined ? {} : { input });
}

/** Runs vsmmu on the host and returns its standard output. Throws LabError if its exit code is not 0. */
export function vsmmuOutput(host: AccelHost, args: readonly string[], input?: string): Promise<string> {
  return host.output(['vsmmu', ...args], input === undefined ? {} : { input });
}

/** Returns the checks of `vsmmu verify` that do not pass for a running guest, each with its codes. */
export async function nonPassingChecks(
  host: AccelHost,
  name: string,
  options: readonly string[] = [],
): Promise<object> {
  return nonPassing(await vsmmu(host, ['verify', '--json', ...options, name]));
}

/** Defines a domain, and returns it as libvirt stores it. */
export async function define(host: AccelHost, xml: string): Promise<string> {
  const name = /<name>([^<]*)<\/name>/.exec(xml)?.[1] ?? '';
  await host.put(`/tmp/${name}.xml`, xml);
  await host.output(['virsh', '--quiet', 'define', '--validate', `/tmp/${name}.xml`]);
  return await host.output(['virsh', '--quiet', 'dumpxml', '--inactive', '--security-info', name]);
}

export interface Placed {
  /** The domain before the rewrite, as libvirt stored it. */
  readonly stored: string;
  readonly rewritten: string;
  readonly plan: Plan;
  readonly prediction: Prediction;
  /** The diagnostics of the plan. */
  readonly diagnostics: readonly Diagnostic[];
  readonly guest: AccelGuest;
}

/** Defines a domain, rewrites it on the running host, and defines the result, which is ready to start. */
export async function place(host: AccelHost, domain: DomainOptions, options: readonly string[] = []): Promise<Placed> {
  const stored = await define(host, domainXml(domain));
  const rewritten = await vsmmuOutput(host, ['rewrite', ...options], stored);
  const planned = await vsmmuOutput(host, ['plan', '--json', '--quiet', ...options], stored);
  const {
    plan,
    guest: prediction,
    diagnostics,
  } = JSON.parse(planned) as {
    plan: Plan;
    guest: Prediction;
    diagnostics: Diagnostic[];
  };
  await define(host, rewritten);
  return { stored, rewritten, plan, prediction, diagnostics, guest: new AccelGuest(host, domain.name) };
}

/**
 * Prints what identifies each device, both on the host and in a guest: the serial number of an NVMe drive, the MAC address
 * of a NIC. The MAC address of a VF changes, so it prints `VF`; no domain has more than one.
 */
const identities = `for device in /sys/bus/pci/devices/*; do
  for file in "$device"/nvme/*/serial "$device"/net/*/address; do
    if [ -e "$file" ]; then echo "$(basename "$device") $(cat "$file")"; fi
  done;
  if [ "$(cat "$device"/device)" = 0x10ca ] && [ -e "$device"/driver ]; then echo "$(basename "$device") VF"; fi;
done`;

function readIdentities(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [bdf, identity] = line.trim().split(/\s+/);
      // A VF has two lines, its MAC address and `VF`; the later entry of the map counts.
      return bdf && identity ? [[bdf, identity] as const] : [];
    }),
  );
}

/** Returns the identity of each device of the host that has one, by address. */
export async function hostIdentities(host: AccelHost): Promise<Map<string, string>> {
  return readIdentities(await host.script(identities));
}

/** Returns the identity of each device of a guest, by address. A device has one only if its driver works. */
export async function guestIdentities(guest: AccelGuest): Promise<Map<string, string>> {
  return readIdentities(await guest.run(identities.replaceAll('\n', ' ')));
}

/** Expects that a guest sees what the plan predicts: each function, its address and its vSMMU, and the IORT. */
export async function expectPredictedHardware(
  guest: AccelGuest,
  prediction: Prediction,
  onHost: ReadonlyMap<string, string>,
): Promise<GuestView> {
  const view = await guest.view();
  const inGuest = await guestIdentities(guest);
  const given = new Set<string | null>(prediction.functions.map(({ host }) => host));
  const bdfOf = new Map([...onHost].filter(([bdf]) => given.has(bdf)).map(([bdf, identity]) => [identity, bdf]));
  const hostOf = ({ bdf }: GuestDevice): string | null => bdfOf.get(inGuest.get(bdf) ?? '') ?? null;
  expect(sightOf(view, hostOf)).toEqual(predictedSight(prediction));
  return view;
}

/** Returns, from QEMU's trace, the number of vIOMMUs and of devices whose stream table entry translates. */
export async function accelerated(guest: AccelGuest): Promise<{ viommus: number; translating: number }> {
  const log = await guest.readQemuLog();
  const streams = log.matchAll(/install_ste vSID=(0x[0-9a-f]+) ste type=translate/g);
  return {
    viommus: [...log.matchAll(/iommufd_backend_alloc_viommu/g)].length,
    translating: new Set([...streams].map((match) => match[1])).size,
  };
}

/** Returns the name of an NVMe drive's block device while the host's driver is bound to it. */
export async function driveOf(host: AccelHost, bdf: string): Promise<string> {
  return (await host.script(`basename /sys/bus/pci/devices/${bdf}/nvme/nvme*/nvme*n1`)).trim();
}
