import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import type { Plan } from '../../src/generated/plan.js';
import type { QemuOption } from './argv.js';
import { type Case, sampleCases } from './cases.js';
import { emulatedMachine } from './emulated.js';
import { bootGuest, type GuestView } from './guest.js';
import { Lab } from './lab.js';
import { commandLine, tryDomain } from './trial.js';
import { rewrite } from './vsmmu.js';

const samples = sampleCases().filter(({ title }) => /^g[bh]200-vm/.test(title));
/** The one that has no NUMA cells of its own. */
const created = sampleCases()
  .filter(({ title }) => title.startsWith('arm-server-vm'))
  .map(
    (each): Case => ({
      ...each,
      title: `${each.title} with --numa create`,
      options: [...each.options, '--numa', 'create'],
    }),
  );
/** GPUs beyond the first taken out: what is left has few enough cells for the guest's kernel. */
const oneGpu = samples
  .filter(({ title }) => title.startsWith('gb200'))
  .map(
    (each): Case => ({
      ...each,
      title: `${each.title}, one GPU`,
      xml: each.xml.replace(
        /\s*<hostdev\b(?:(?!<\/hostdev>)[\s\S])*?domain='0x00(?:09|18|19)'[\s\S]*?<\/hostdev>/g,
        '',
      ),
    }),
  );
const cases = [...samples, ...oneGpu, ...created].map((each) => [each.title, each] as const);

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

describe('a guest has the NUMA nodes, distances and places for BARs that the plan says', () => {
  it.for(cases)('%s', async ([, each], { task }) => {
    const { plan, dump } = await tryDomain(lab, each);
    expect(await rewrite(dump, each.options), 'the second run changes nothing').toBe(dump);
    const { options } = await commandLine(lab, dump);
    expect(initiatorsIn(options), 'libvirt gives QEMU each Generic Initiator').toBe(plan.numa.initiators.length);
    expect(machine(options)).toEqual(plan.pcihole64 ? [`highmem-mmio-size=${plan.pcihole64.after}K`] : []);

    const view = await bootGuest(lab, emulatedMachine(options));
    task.meta.lab = { defined: 1, booted: 1 };
    const wanted = distancesOf(dump);
    if (wanted.processors.length + wanted.initiators.length > guestNodes) expect(view.numa).toHaveLength(guestNodes);
    else expect(distances(view)).toEqual(wanted);
    expect(bridgeNodes(view, plan)).toEqual(plan.expanderBuses.map(({ busNr, node }) => [busNr, node ?? -1]));
    expect(view.unplaced).toEqual([]);
  });
});

function initiatorsIn(options: readonly QemuOption[]): number {
  return options.filter(({ name, value }) => name === '-object' && value?.includes('acpi-generic-initiator')).length;
}

function machine(options: readonly QemuOption[]): string[] {
  const value = options.find(({ name }) => name === '-machine')?.value ?? '';
  return value.split(',').filter((part) => part.startsWith('highmem-mmio-size='));
}

/** The most nodes that Debian's arm64 kernel has room for (Linux 7.2, `CONFIG_NODES_SHIFT=4`); it drops those beyond. */
const guestNodes = 16;

/** Which cells are how far from each other; the guest numbers Generic Initiators as it meets them, so their order says nothing. */
interface Distances {
  /** Between cells with CPUs, in order. */
  readonly processors: readonly (readonly number[])[];
  /** Of each other cell: to those with CPUs, and to all others, sorted. */
  readonly initiators: readonly string[];
}

function distances(view: GuestView): Distances {
  const nodes = view.numa.toSorted((a, b) => a.node - b.node);
  return describeDistances(nodes.map(({ cpus, distances: row }) => ({ cpus: cpus !== '', row })));
}

/** The same as the domain says it. */
function distancesOf(xml: string): Distances {
  const { cells } = parseDomain(xml).numa;
  return describeDistances(
    cells.map((cell) => ({
      cpus: cell.cpus.length > 0,
      row: cells.map(({ id }) => cell.distances.get(id) ?? (id === cell.id ? 10 : Number.NaN)),
    })),
  );
}

function describeDistances(nodes: readonly { readonly cpus: boolean; readonly row: readonly number[] }[]): Distances {
  const split = ({ row }: { readonly row: readonly number[] }) => ({
    near: row.filter((_, i) => nodes[i]?.cpus),
    others: row.filter((_, i) => !nodes[i]?.cpus).sort((a, b) => a - b),
  });
  const initiators = nodes.filter(({ cpus }) => !cpus).map(split);
  return {
    processors: nodes.filter(({ cpus }) => cpus).map((node) => split(node).near),
    initiators: initiators.map(({ near, others }) => `${near.join(' ')}: ${others.join(' ')}`).sort(),
  };
}

/** The node of what is behind each expander bus; of expander buses whose devices differ, several. */
function bridgeNodes(view: GuestView, { expanderBuses }: Plan): (readonly [number, ...number[]])[] {
  return expanderBuses.map(({ busNr }) => {
    const root = `0000:${busNr.toString(16).padStart(2, '0')}`;
    const nodes = view.devices.filter((device) => device.root === root).map((device) => device.numaNode);
    return [busNr, ...new Set(nodes)];
  });
}
