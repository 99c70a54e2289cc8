/** A fact about QEMU, libvirt or Linux that the code relies on, and a way to test it. */
import { refusal } from '../guest.js';
import type { Lab } from '../lab.js';
import { definedAs } from '../trial.js';

export interface Fact {
  /** The fact, as a sentence. */
  readonly title: string;
  /** Repeats the observation and returns it. The message of a thrown error is also an observation. */
  readonly see: (lab: Lab) => Promise<string>;
  /** The observation if the fact holds. */
  readonly expected: string | RegExp;
}

/** The machine for the facts, as command line arguments. */
export const virt = '-M virt,gic-version=3,acpi=on -cpu cortex-a72';

/** Starts QEMU with a paused machine and ends it. Returns the line of its refusal, or `starts`. */
export async function qemuSays(lab: Lab, words: string): Promise<string> {
  const console = ['-nodefaults', '-display', 'none', '-S', '-monitor', 'stdio'];
  const argv = ['qemu-system-aarch64', ...console, ...words.split(/\s+/)];
  const { code, stderr } = await lab.run(argv, { input: 'quit\n', limitSeconds: 60 });
  return code === 0 ? 'starts' : refusal(stderr);
}

/** Parts of a domain that a fact sets; everything else is the minimum that libvirt accepts. */
export interface Parts {
  readonly name?: string;
  readonly machine?: string;
  readonly features?: string;
  readonly devices?: string;
  readonly metadata?: string;
}

/** An Arm domain for TCG. */
export function domainXml({
  name = 'fact',
  machine = 'virt',
  features = '<acpi/>',
  devices = '',
  metadata = '',
}: Parts): string {
  const escaped = name.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<domain type='qemu'><name>${escaped}</name><metadata>${metadata}</metadata><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os firmware='efi'><type arch='aarch64' machine='${machine}'>hvm</type></os><features>${features}<gic version='3'/></features>
<cpu mode='custom'><model>cortex-a72</model></cpu>
<devices><emulator>/usr/bin/qemu-system-aarch64</emulator>${devices}<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>`;
}

/** An expander bus and its SMMU. */
export function expanderBusXml(index: number, busNr: number, driver = ''): string {
  const bus = `<controller type='pci' index='${index}' model='pcie-expander-bus'><target busNr='${busNr}'/></controller>`;
  return `${bus}<iommu model='smmuv3'><driver pciBus='${index}'${driver}/></iommu>`;
}

/** Defines a domain and returns its dump from libvirt. Throws the refusal. */
export async function dumpOf(lab: Lab, parts: Parts): Promise<string> {
  return await definedAs(lab, domainXml(parts));
}

/** Joins all matches of the first group of `pattern`, in order, with commas. */
export function all(text: string, pattern: RegExp): string {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '').join(', ');
}
