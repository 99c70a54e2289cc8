import { type Conversion, convertXml } from '../../src/batch/conversion.js';
import { UPSTREAM } from '../../src/domain/target.js';
import type { Topology } from '../../src/generated/topology.js';
import { Host, parseDomain, revert } from '../../src/index.js';
import type { Policy } from '../../src/policy/policy.js';
import { randomDomain } from './domains.js';
import { randomHost } from './hosts.js';
import { attach, define, rootOf, withDeviceChanges } from './libvirt.js';
import { randomPolicy } from './policies.js';
import { Random } from './random.js';
import { type Guest, guestOf } from './reader.js';
import { unjustifiedErrors } from './refusals.js';
import { isAccelerated, isBehindVsmmu, placeable, RULES, type RuleInput } from './rules.js';
import { unmanagedContent } from './unmanaged-content.js';

/** The result of a case, with the faults found. */
export interface Verdict {
  readonly findings: readonly string[];
  /** How many conversions changed the domain, and how many were refused. */
  readonly converted: number;
  readonly refused: number;
}

/** Rules that a result may break if its input broke them. */
const KEPT = new Set(['oneBackendPerGroup', 'addresses']);

/** Runs one case: converts a domain, converts it again, reverts it, changes its devices, and converts it once more. */
export function judge(number: number): Verdict {
  return new Case(new Random(number)).run();
}

class Case {
  readonly #random: Random;
  readonly #host: Topology;
  readonly #findings: string[] = [];
  #converted = 0;
  #refused = 0;
  /** Whether vsmmu created the guest's only NUMA cell, which it may then remove. */
  #createdCell = false;

  constructor(random: Random) {
    this.#random = random;
    this.#host = randomHost(random);
  }

  run(): Verdict {
    const random = this.#random;
    const policy = randomPolicy(random, this.#host);
    const given = randomDomain(random, this.#host);
    const first = this.#convert('first', given, policy);
    if (first !== undefined) {
      this.#attachAvoidsVsmmus(first);
      const endpoints = this.#host.devices.filter(({ bridge }) => !bridge).map(({ bdf }) => bdf);
      const later = random.chance(0.7) ? policy : randomPolicy(random, this.#host);
      const lived = withDeviceChanges(define(first), endpoints, random);
      const second = this.#convert('second', lived, later);
      if (second !== undefined) this.#revert(lived, second);
    }
    return { findings: this.#findings, converted: this.#converted, refused: this.#refused };
  }

  /** Converts a domain and judges the result. Returns undefined if vsmmu refuses it. */
  #convert(step: string, before: string, policy: Policy): string | undefined {
    const { verdict, after, diagnostics } = this.#once(before, policy);
    const view = { guest: guestOf(before), host: this.#host, policy };
    if (after === undefined) {
      this.#refused++;
      this.#report(step, unjustifiedErrors(diagnostics, view));
      return undefined;
    }
    if (verdict === 'convert') this.#converted++;
    const result = { ...view, guest: guestOf(after) };
    if (placeable(view).length > 0) this.#report(step, broken(result, view));
    this.#createdCell ||= policy.numa === 'create' && view.guest.cells.length === 0;
    if (!sameUnmanagedContent(view, result, this.#createdCell))
      this.#report(step, ['something changed that vsmmu may not change']);
    const again = this.#once(after, policy);
    if (again.after !== after) this.#report(step, [`a second conversion changes it (${again.verdict})`]);
    if (step === 'first' && !policy.relayout) {
      const back = revert(parseDomain(after)).xml;
      if (back !== before) this.#report(step, ['revert does not restore the former domain']);
    }
    if (verdict === 'convert')
      this.#report(`${step}, defined`, broken({ ...result, guest: guestOf(define(after)) }, view));
    return after;
  }

  /** Reverts a domain that was edited after its conversion: the result must be valid. */
  #revert(lived: string, xml: string): void {
    const before = guestOf(xml);
    const moved = movingIn({ guest: guestOf(lived), host: this.#host, policy: {} as Policy });
    const guest = guestOf(define(revert(parseDomain(xml), { force: true }).xml));
    const view = { guest, host: this.#host, policy: {} as Policy };
    const devices = ({ devices: all }: Guest) =>
      all.flatMap(({ alias, unassigned }) => (unassigned ? [] : (alias ?? [])));
    if (devices(before).join() !== devices(guest).join()) this.#report('revert', ['a device is gone']);
    for (const { alias, bdf, address } of before.devices) {
      const now = guest.devices.find((device) => device.alias === alias)?.address;
      if (bdf === undefined && address && !moved.has(alias ?? '') && JSON.stringify(now) !== JSON.stringify(address)) {
        this.#report('revert', ['an emulated device moves']);
      }
    }
    if (guest.smmus.length > 0) this.#report('revert', ['a vSMMU is left']);
    const had = RULES.addresses?.({ ...view, guest: before }) ?? [];
    for (const rule of [RULES.addresses, RULES.controllers, RULES.busNumbers]) {
      this.#report(
        'revert',
        (rule?.(view) ?? []).filter((found) => !had.includes(found)),
      );
    }
  }

  /** Checks that libvirt puts a device without an address on `pcie.0`. */
  #attachAvoidsVsmmus(xml: string): void {
    const rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-d300'/></rng>";
    const guest = guestOf(attach(define(xml), rng));
    const address = guest.devices.find(({ alias }) => alias === 'ua-d300')?.address;
    const view = { guest, host: this.#host, policy: {} as Policy };
    if (address && isAccelerated(view, rootOf(guest, address.bus))) {
      this.#report('attach', ['libvirt puts a new device behind a vSMMU']);
    }
  }

  #once(xml: string, policy: Policy): Conversion {
    return convertXml(xml, () => new Host(this.#host), { policy, target: UPSTREAM, forceTcg: false, strict: false });
  }

  #report(step: string, found: readonly string[]): void {
    this.#findings.push(...found.map((each) => `${step}: ${each}`));
  }
}

/** Returns the rules that a result breaks, except those of `KEPT` that its input broke. */
export function broken(result: RuleInput, before: RuleInput): string[] {
  return Object.entries(RULES).flatMap(([name, rule]) => {
    const had = KEPT.has(name) ? rule(before) : [];
    return rule(result)
      .filter((each) => !had.includes(each))
      .map((each) => `${name}: ${each}`);
  });
}

/** Returns the aliases of the emulated devices that a conversion must move: those behind vSMMUs. */
function movingIn(view: RuleInput): Set<string> {
  return new Set(view.guest.devices.flatMap((device) => (isBehindVsmmu(view, device) ? (device.alias ?? []) : [])));
}

/** Returns whether two domains differ only in what vsmmu may change. */
function sameUnmanagedContent(before: RuleInput, after: RuleInput, createdCell: boolean): boolean {
  const moving = movingIn(before);
  const { romBar, ras, hugePages, relayout } = after.policy;
  const setsSettings = relayout || romBar === 'off' || ras === 'on' || hugePages !== 'keep';
  const content = ({ root }: Guest) => unmanagedContent(root, setsSettings, createdCell, moving);
  return content(before.guest) === content(after.guest);
}
