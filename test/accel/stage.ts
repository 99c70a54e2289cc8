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

/** Runs the tool on the host. */
export function vsmmu(host: AccelHost, args: readonly string[], input?: string): Promise<Result> {
  return host.run(['vsmmu', ...args], input === undefined ? {} : { input });
}

/** Runs the tool on the host and gives what it prints. Throws LabError when it ends with anything but 0. */
export function vsmmuOutput(host: AccelHost, args: readonly string[], input?: string): Promise<string> {
  return host.output(['vsmmu', ...args], input === undefined ? {} : { input });
}

/** What does not pass of `vsmmu verify` for a running guest, which it asks through its agent: the line, and the codes on it. */
export async function wrongIn(host: AccelHost, name: string, options: readonly string[] = []): Promise<object> {
  return nonPassing(await vsmmu(host, ['verify', '--json', ...options, name]));
}

/** Has libvirt take a domain, and gives it as libvirt stores it. */
export async function define(host: AccelHost, xml: string): Promise<string> {
  const name = /<name>([^<]*)<\/name>/.exec(xml)?.[1] ?? '';
  await host.put(`/tmp/${name}.xml`, xml);
  await host.output(['virsh', '--quiet', 'define', '--validate', `/tmp/${name}.xml`]);
  return await host.output(['virsh', '--quiet', 'dumpxml', '--inactive', '--security-info', name]);
}

export interface Placed {
  /** As libvirt stored it before. */
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
 * What identifies a device among others of its kind, on the host as in a guest: an NVMe drive's serial number, a NIC's MAC
 * address. That of a VF is another every time; no domain has more than one.
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
      // A VF's MAC address comes before, and what comes later counts.
      return bdf && identity ? [[bdf, identity] as const] : [];
    }),
  );
}

/** Address → identity of every device that has one, on the host. */
export async function hostIdentities(host: AccelHost): Promise<Map<string, string>> {
  return readIdentities(await host.script(identities));
}

/** Address → identity in a guest; a device is there only once its driver has it and it answers. */
export async function guestIdentities(guest: AccelGuest): Promise<Map<string, string>> {
  return readIdentities(await guest.run(identities.replaceAll('\n', ' ')));
}

/** Holds what a guest sees against what the plan predicts: each function, its place and its vSMMU, and the IORT. */
export async function expectSight(
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

/** Counts from QEMU's trace: vIOMMUs made, and devices whose stream table entry translates. */
export async function accelerated(guest: AccelGuest): Promise<{ viommus: number; translating: number }> {
  const said = await guest.qemuSaid();
  const streams = said.matchAll(/install_ste vSID=(0x[0-9a-f]+) ste type=translate/g);
  return {
    viommus: [...said.matchAll(/iommufd_backend_alloc_viommu/g)].length,
    translating: new Set([...streams].map((match) => match[1])).size,
  };
}

/** The name of an NVMe drive's block device while the host's own driver has it. */
export async function driveOf(host: AccelHost, bdf: string): Promise<string> {
  return (await host.script(`basename /sys/bus/pci/devices/${bdf}/nvme/nvme*/nvme*n1`)).trim();
}
