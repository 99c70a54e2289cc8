import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CapturedHosts, goldenCases, randomCases, sampleCases, seriesExample, specialCases, titled } from './cases.js';
import { forCommandLine, hostAddresses } from './domain.js';
import { emulatedMachine } from './emulated.js';
import { bootGuest } from './guest.js';
import { Lab } from './lab.js';
import { observedNodes, observedSight, predictedNodes, predictedSight, predictedTree, treeOf } from './prediction.js';
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
const special = await specialCases(hosts);
/** Domains that need error-prone rules: a second expander bus, a disk that moves back to pcie.0, … */
const golden = goldenCases().filter(({ title }) =>
  [
    'bus-window-of-policy',
    'emulated-behind-vsmmu',
    'expander-bus-full',
    'other-iommu',
    'spare-ports-without-address',
  ].some((name) => title.endsWith(name)),
);
const random = await Promise.all(counts.map(([host, count]) => randomCases(hosts, host, count)));

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await lab[Symbol.asyncDispose]();
});

describe('a guest sees the hardware that the plan predicts', () => {
  it.concurrent.for(titled([...sampleCases(), ...golden, ...special, ...random.flat()]))(
    '%s',
    async ([, each], { task }) => {
      const { prediction, dump } = await tryDomain(lab, each);
      expect(prediction.complete, 'every address is known').toBe(true);
      const { options, layout } = await commandLine(lab, dump);
      const view = await bootGuest(lab, emulatedMachine(options));
      task.meta.lab = { defined: 1, booted: 1 };
      const hosts = hostAddresses(forCommandLine(dump));
      expect(observedSight(view, layout, hosts)).toEqual(predictedSight(prediction));
      expect(treeOf(view.lspci), 'its lspci -tv').toBe(predictedTree(prediction, dump));
      expect(observedNodes(view, layout)).toEqual(predictedNodes(layout));
      if (each.title === seriesExample().title) process.stdout.write(`${view.lspci}\n`);
    },
  );
});
