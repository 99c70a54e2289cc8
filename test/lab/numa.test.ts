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
/** The sample without NUMA cells. */
const created = sampleCases()
  .filter(({ title }) => title.startsWith('arm-server-vm'))
  .map(
    (each): Case => ({
      ...each,
      title: `${each.title} with --numa create`,
      options: [...each.options, '--numa', 'create'],
    }),
  );
/** The samples with only one GPU, so that the guest's kernel supports the number of cells. */
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

describe('a guest has the NUMA nodes, distances and BAR addresses of the plan', () => {
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

/** Maximum of nodes in Debian's arm64 kernel (Linux 7.2, `CONFIG_NODES_SHIFT=4`), which drops further nodes. */
const guestNodes = 16;

/** Distances between cells. The guest numbers Generic Initiators as it finds them, so their order is not compared. */
interface Distances {
  /** Between cells with CPUs, in order. */
  readonly processors: readonly (readonly number[])[];
  /** For each other cell: its distances to cells with CPUs, and to all others, sorted. */
  readonly initiators: readonly string[];
}

function distances(view: GuestView): Distances {
  const nodes = view.numa.toSorted((a, b) => a.node - b.node);
  return describeDistances(nodes.map(({ cpus, distances: row }) => ({ cpus: cpus !== '', row })));
}

/** The distances in the domain. */
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

/** The node of the devices behind each expander bus, or several nodes if they differ. */
function bridgeNodes(view: GuestView, { expanderBuses }: Plan): (readonly [number, ...number[]])[] {
  return expanderBuses.map(({ busNr }) => {
    const root = `0000:${busNr.toString(16).padStart(2, '0')}`;
    const nodes = view.devices.filter((device) => device.root === root).map((device) => device.numaNode);
    return [busNr, ...new Set(nodes)];
  });
}
