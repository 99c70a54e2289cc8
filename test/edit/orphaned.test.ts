import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { managedDevicesOf } from '../../src/edit/undo/record.js';
import { revert } from '../../src/edit/undo/revert.js';
import type { Host } from '../../src/host/host.js';
import { readTopology } from '../../src/host/snapshot.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { REPOSITORY } from '../cli/run.js';

const read = (file: string): string => readFileSync(join(REPOSITORY, file), 'utf8');
const hostOf = (name: string): Host => readTopology(read(`samples/hosts/${name}.json`), name);

function rewritten(xml: string, host: Host, policy: Partial<Policy> = {}): string {
  const domain = parseDomain(xml);
  return rewrite(
    domain,
    plan(domain, host, { ...DEFAULT_POLICY, ...policy }, { managed: managedDevicesOf(domain) }).plan,
  );
}

/** The domain without the host device at this address. */
function without(xml: string, bdf: string): string {
  const device = parseDomain(xml).hostDevices.find((each) => each.bdf === bdf);
  if (!device) throw new Error(`no ${bdf}`);
  const { start, end } = device.element;
  return xml.slice(0, xml.lastIndexOf('\n', start)) + xml.slice(end);
}

const gb200 = hostOf('gb200');
const GPUS = ['0008:01:00.0', '0009:01:00.0', '0018:01:00.0', '0019:01:00.0'];
const guest = read('samples/domains/gb200-vm.xml');
const withCells = rewritten(guest, gb200);

const hostA = readTopology(read('test/golden/group-not-viable/host.json'), 'host.json');
const pair = read('test/golden/complete-groups/domain.xml');

describe('an element that was added for a device that has left the domain', () => {
  it.for(GPUS)('is removed from the domain and the record if no other cell follows it: the cells of %s', (gpu) => {
    const left = without(withCells, gpu);
    const after = rewritten(left, gb200);
    const ids = parseDomain(after).numa.cells.map(({ id }) => id);
    expect(ids).toEqual(ids.map((_, i) => i));
    expect(ids).toHaveLength(gpu === GPUS.at(-1) ? 26 : 34);
    const known = new Set(ids.map(String));
    expect([...after.matchAll(/<sibling id='(\d+)'/g)].filter(([, id = '']) => !known.has(id))).toEqual([]);
    expect(rewritten(after, gb200)).toBe(after);
    expect(revert(parseDomain(after)).xml).toBe(without(guest, gpu));
  });

  it('makes room for the cells of a device that is added', () => {
    const [first = '', second = ''] = GPUS.slice(2);
    const three = rewritten(without(guest, second), gb200);
    const [element = ''] = /\n *<hostdev(?:(?!<\/hostdev>)[\s\S])*0x0019'[\s\S]*?<\/hostdev>/.exec(guest) ?? [];
    const swapped = without(three, first).replace(
      /(?=\n *<iommu )/,
      element.replace(/\n *<address type='pci'[^>]*>/, ''),
    );
    const after = rewritten(swapped, gb200);
    expect(parseDomain(after).numa.cells).toHaveLength(26);
    expect(parseDomain(after).hostDevices.at(-1)?.element.child('acpi')?.attribute('nodeset')).toBe('18-25');
    expect(rewritten(after, gb200)).toBe(after);
    expect(revert(parseDomain(after)).xml).not.toMatch(/vsmmu|<cell id='[2-9]/);
  });

  it('is removed with its device: the other endpoint of an IOMMU group', () => {
    const both = rewritten(pair, hostA, { completeGroups: true });
    const [device] = parseDomain(both).hostDevices.filter(({ unassigned }) => !unassigned);
    const left = parseDomain(without(both, device?.bdf ?? ''));
    const { diagnostics } = plan(left, hostA, DEFAULT_POLICY, { managed: managedDevicesOf(left) });
    expect(diagnostics.map(({ code }) => code)).toContain('orphaned-removed');
    const after = rewritten(left.document.text, hostA);
    expect(parseDomain(after).hostDevices).toEqual([]);
    expect(revert(parseDomain(after)).xml).toBe(without(pair, device?.bdf ?? ''));
  });

  it('stays if an expander bus names it: a cell', () => {
    const left = without(withCells, GPUS.at(-1) ?? '');
    const { numa } = parseDomain(left);
    const last = numa.cells.at(-1)?.id ?? 0;
    const named = left.replace(/<node>\d+<\/node>/, `<node>${last}</node>`);
    expect(named).not.toBe(left);
    const domain = parseDomain(named);
    const { diagnostics } = plan(domain, gb200, DEFAULT_POLICY, { managed: managedDevicesOf(domain) });
    expect(diagnostics.map(({ code }) => code)).not.toContain('orphaned-removed');
  });

  it('stays while the domain has its device, whatever the current policy', () => {
    const both = rewritten(pair, hostA, { completeGroups: true });
    expect(rewritten(both, hostA, { completeGroups: false })).toBe(both);
  });

  it('stays if the record does not list it, since a user wrote it', () => {
    const both = rewritten(pair, hostA, { completeGroups: true });
    const byHand = both.replace(/ *<metadata>[\s\S]*<\/metadata>\n/, '');
    const [device] = parseDomain(both).hostDevices.filter(({ unassigned }) => !unassigned);
    const after = rewritten(without(byHand, device?.bdf ?? ''), hostA);
    expect(parseDomain(after).hostDevices).toHaveLength(1);
  });
});
