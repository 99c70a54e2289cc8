/**
 * Converts the judge's domains on a real libvirt, attaches and detaches devices, converts them again and reverts them.
 * `VSMMU_JUDGED_LIVES` sets the number of domains.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { convertXml } from '../../src/batch/conversion.js';
import { UPSTREAM } from '../../src/domain/target.js';
import type { Topology } from '../../src/generated/topology.js';
import { Host, parseDomain, revert } from '../../src/index.js';
import type { Policy } from '../../src/policy/policy.js';
import { broken } from '../judge/case.js';
import { randomDomain } from '../judge/domains.js';
import { randomHost } from '../judge/hosts.js';
import { hostdevOf } from '../judge/libvirt.js';
import { randomPolicy } from '../judge/policies.js';
import { Random } from '../judge/random.js';
import { guestOf } from '../judge/reader.js';
import { unjustifiedErrors } from '../judge/refusals.js';
import { placeable } from '../judge/rules.js';
import { asTcg } from './domain.js';
import { Lab } from './lab.js';
import { define, undefine, virsh } from './trial.js';

const LIVES = Number(process.env.VSMMU_JUDGED_LIVES ?? 20);
/** The number of the first case; the unit tests use lower ones. */
const FIRST = 1_000_000;

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

const RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-d200'/></rng>";

/** Runs all steps for one domain. Returns the faults, or undefined if the domain has no device to place. */
async function live(number: number): Promise<string[] | undefined> {
  const random = new Random(FIRST + number);
  const host = randomHost(random);
  const policy = { ...randomPolicy(random, host), relayout: false };
  const name = `life-${number}`;
  const xml = asTcg(randomDomain(random, host)).replace('>judged<', `>${name}<`);
  if (placeable({ guest: guestOf(xml), host, policy }).length === 0) return undefined;
  const uuid = await define(lab, xml);
  try {
    return await new Life(uuid, random, host, policy).run();
  } finally {
    await undefine(lab, uuid);
  }
}

class Life {
  readonly #found: string[] = [];

  constructor(
    readonly uuid: string,
    readonly random: Random,
    readonly host: Topology,
    readonly policy: Policy,
  ) {}

  async run(): Promise<string[]> {
    if (!(await this.#convert('first'))) return this.#found;
    await this.#attach(RNG);
    const present = guestOf(await this.#dump()).devices.flatMap(({ bdf }) => bdf ?? []);
    const others = this.host.devices.filter(({ bdf, bridge }) => !bridge && !present.includes(bdf));
    if (others.length > 0) await this.#attach(hostdevOf(this.random.pick(others).bdf, 'ua-d100'));
    const gone = this.random.pick(guestOf(await this.#dump()).devices.filter(({ bdf }) => bdf !== undefined));
    if (this.random.chance(0.5)) await virsh(lab, ['detach-device-alias', this.uuid, gone.alias ?? '', '--config']);
    if (await this.#convert('second')) await this.#revert();
    return this.#found;
  }

  #dump(): Promise<string> {
    return virsh(lab, ['dumpxml', '--inactive', '--security-info', this.uuid]);
  }

  async #attach(element: string): Promise<void> {
    await virsh(lab, ['attach-device', this.uuid, '/dev/stdin', '--config'], element);
  }

  async #convert(step: string): Promise<boolean> {
    const before = await this.#dump();
    const settings = { policy: this.policy, target: UPSTREAM, forceTcg: true, strict: false };
    const { after, diagnostics } = convertXml(before, () => new Host(this.host), settings);
    const view = { host: this.host, policy: this.policy, guest: guestOf(before) };
    if (after === undefined) {
      this.#found.push(...unjustifiedErrors(diagnostics, view).map((each) => `${step}: ${each}`));
      return false;
    }
    await define(lab, after);
    const wrong = broken({ ...view, guest: guestOf(await this.#dump()) }, view);
    this.#found.push(...wrong.map((each) => `${step}: ${each}`));
    return true;
  }

  async #revert(): Promise<void> {
    const before = guestOf(await this.#dump());
    await define(lab, revert(parseDomain(await this.#dump())).xml);
    const after = guestOf(await this.#dump());
    const devices = ({ devices: all }: typeof after) =>
      all.flatMap(({ bdf, unassigned }) => (unassigned ? [] : (bdf ?? [])));
    if (devices(before).join() !== devices(after).join()) this.#found.push('revert: a device is gone');
    if (after.smmus.length > 0) this.#found.push('revert: a vSMMU is left');
  }
}

it(`${LIVES} domains stay valid from definition to revert`, async ({ task }) => {
  const lived: string[] = [];
  let wrong: string[] = [];
  for (let number = 0; lived.length < LIVES; number++) {
    const found = await live(number);
    if (found === undefined) continue;
    lived.push(String(number));
    wrong = [...wrong, ...found.map((each) => `life ${number}: ${each}`)];
  }
  task.meta.lab = { defined: LIVES };
  expect(wrong).toEqual([]);
}, 3_600_000);
