import { type Conversion, convertXml } from '../../src/batch/conversion.js';
import { UPSTREAM } from '../../src/domain/target.js';
import type { Topology } from '../../src/generated/topology.js';
import { Host, parseDomain, revert } from '../../src/index.js';
import type { Policy } from '../../src/policy/policy.js';
import { randomDomain } from './domains.js';
import { essence } from './essence.js';
import { randomHost } from './hosts.js';
import { attach, define, livedIn, rootOf } from './libvirt.js';
import { randomPolicy } from './policies.js';
import { Random } from './random.js';
import { type Guest, guestOf } from './reader.js';
import { needless } from './refusals.js';
import { isAccelerated, isBehindVsmmu, type PlanView, placeable, RULES } from './rules.js';

/** The result of a case, with the faults found. */
export interface Verdict {
  readonly findings: readonly string[];
  /** How many conversions changed the domain, and how many were refused. */
  readonly converted: number;
  readonly refused: number;
}

/** Faults that a domain may have before, and keep. */
const KEPT = new Set(['oneBackendPerGroup', 'addresses']);

/** Runs one case: a domain is converted, converted again, taken back, lived in and converted once more. */
export function judge(number: number): Verdict {
  return new Case(new Random(number)).run();
}

class Case {
  readonly #random: Random;
  readonly #host: Topology;
  readonly #findings: string[] = [];
  #converted = 0;
  #refused = 0;
  /** Whether the one cell of the guest is vsmmu's, which may go again. */
  #madeCell = false;

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
      this.#nobodyBehindVsmmus(first);
      const endpoints = this.#host.devices.filter(({ bridge }) => !bridge).map(({ bdf }) => bdf);
      const later = random.chance(0.7) ? policy : randomPolicy(random, this.#host);
      const lived = livedIn(define(first), endpoints, random);
      const second = this.#convert('second', lived, later);
      if (second !== undefined) this.#revert(lived, second);
    }
    return { findings: this.#findings, converted: this.#converted, refused: this.#refused };
  }

  /** Converts a domain and judges the result; undefined where it is refused. */
  #convert(step: string, before: string, policy: Policy): string | undefined {
    const { verdict, after, diagnostics } = this.#once(before, policy);
    const scene = { guest: guestOf(before), host: this.#host, policy };
    if (after === undefined) {
      this.#refused++;
      this.#say(step, needless(diagnostics, scene));
      return undefined;
    }
    if (verdict === 'convert') this.#converted++;
    const result = { ...scene, guest: guestOf(after) };
    if (placeable(scene).length > 0) this.#say(step, broken(result, scene));
    this.#madeCell ||= policy.numa === 'create' && scene.guest.cells.length === 0;
    if (!alike(scene, result, this.#madeCell)) this.#say(step, ['something changed that vsmmu may not change']);
    const again = this.#once(after, policy);
    if (again.after !== after) this.#say(step, [`a second conversion changes it (${again.verdict})`]);
    if (step === 'first' && !policy.relayout) {
      const back = revert(parseDomain(after)).xml;
      if (back !== before) this.#say(step, ['revert does not give the domain of before']);
    }
    if (verdict === 'convert')
      this.#say(`${step}, defined`, broken({ ...result, guest: guestOf(define(after)) }, scene));
    return after;
  }

  /** Takes a domain back that was edited in between: what it has left must work. */
  #revert(lived: string, xml: string): void {
    const before = guestOf(xml);
    const moved = movingIn({ guest: guestOf(lived), host: this.#host, policy: {} as Policy });
    const guest = guestOf(define(revert(parseDomain(xml), { force: true }).xml));
    const scene = { guest, host: this.#host, policy: {} as Policy };
    const devices = ({ devices: all }: Guest) =>
      all.flatMap(({ alias, unassigned }) => (unassigned ? [] : (alias ?? [])));
    if (devices(before).join() !== devices(guest).join()) this.#say('revert', ['a device is gone']);
    for (const { alias, bdf, address } of before.devices) {
      const now = guest.devices.find((device) => device.alias === alias)?.address;
      if (bdf === undefined && address && !moved.has(alias ?? '') && JSON.stringify(now) !== JSON.stringify(address)) {
        this.#say('revert', ['an emulated device moves']);
      }
    }
    if (guest.smmus.length > 0) this.#say('revert', ['a vSMMU is left']);
    const had = RULES.addresses?.({ ...scene, guest: before }) ?? [];
    for (const rule of [RULES.addresses, RULES.controllers, RULES.busNumbers]) {
      this.#say(
        'revert',
        (rule?.(scene) ?? []).filter((found) => !had.includes(found)),
      );
    }
  }

  /** Whatever is attached without an address goes to `pcie.0`. */
  #nobodyBehindVsmmus(xml: string): void {
    const rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-d300'/></rng>";
    const guest = guestOf(attach(define(xml), rng));
    const address = guest.devices.find(({ alias }) => alias === 'ua-d300')?.address;
    const scene = { guest, host: this.#host, policy: {} as Policy };
    if (address && isAccelerated(scene, rootOf(guest, address.bus))) {
      this.#say('attach', ['libvirt puts a new device behind a vSMMU']);
    }
  }

  #once(xml: string, policy: Policy): Conversion {
    return convertXml(xml, () => new Host(this.#host), { policy, target: UPSTREAM, forceTcg: false, strict: false });
  }

  #say(step: string, found: readonly string[]): void {
    this.#findings.push(...found.map((each) => `${step}: ${each}`));
  }
}

/** The rules that a result breaks, and that its input did not break. */
export function broken(result: PlanView, before: PlanView): string[] {
  return Object.entries(RULES).flatMap(([name, rule]) => {
    const had = KEPT.has(name) ? rule(before) : [];
    return rule(result)
      .filter((each) => !had.includes(each))
      .map((each) => `${name}: ${each}`);
  });
}

/** The aliases of the emulated devices that a conversion has to move: those behind vSMMUs. */
function movingIn(scene: PlanView): Set<string> {
  return new Set(scene.guest.devices.flatMap((device) => (isBehindVsmmu(scene, device) ? (device.alias ?? []) : [])));
}

/** Whether two domains differ only in what vsmmu may change. */
function alike(before: PlanView, after: PlanView, madeCell: boolean): boolean {
  const moving = movingIn(before);
  return essence(before.guest.root, madeCell, moving) === essence(after.guest.root, madeCell, moving);
}
