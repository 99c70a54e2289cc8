import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CapturedHosts, randomCases, sampleCases, seriesExample, titled } from './cases.js';
import { emulatedMachine } from './emulated.js';
import { bootGuest } from './guest.js';
import { Lab } from './lab.js';
import { observedFacts, predictedFacts, strays } from './prediction.js';
import { commandLine, tryDomain } from './trial.js';

const hosts = new CapturedHosts();
const counts: readonly (readonly [string, number])[] = [
  ['host-a', 4],
  ['one-smmu', 2],
  ['two-smmus', 3],
  ['multifunction', 3],
  ['sixteen-smmus', 4],
  ['generic-initiators', 3],
];
const random = await Promise.all(counts.map(([host, count]) => randomCases(hosts, host, count)));

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await lab[Symbol.asyncDispose]();
});

describe('a guest sees what the plan says', () => {
  it.concurrent.for(titled([...sampleCases(), ...random.flat()]))('%s', async ([, each], { task }) => {
    const { plan, dump } = await tryDomain(lab, each);
    const { options, layout } = await commandLine(lab, dump);
    const view = await bootGuest(lab, emulatedMachine(options));
    task.meta.lab = { defined: 1, booted: 1 };
    expect(observedFacts(view, plan, layout)).toEqual(predictedFacts(plan, layout));
    expect(strays(view), 'emulated devices are behind no SMMU').toEqual([]);
    if (each.title === seriesExample().title) process.stdout.write(`${view.lspci}\n`);
  });
});
