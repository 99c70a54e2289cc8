import { describe, expect, it } from 'vitest';
import { renderConsequences } from '../../../src/cli/render/consequences.js';
import { renderPlan } from '../../../src/cli/render/plan.js';
import type { Bdf } from '../../../src/domain/address.js';
import type { Device, ExpanderBus, Plan, Port } from '../../../src/generated/plan.js';
import type { GuestView } from '../../../src/guest/predict.js';

import { planned, view } from './example.js';

/** Returns the plan with other values in some parts. */
function changed({ bus = {}, device = {}, ...more }: Partial<Plan> & { bus?: object; device?: object }): Plan {
  const [first, ...others] = planned.expanderBuses;
  const [one, ...rest] = planned.devices;
  return {
    ...planned,
    expanderBuses: [{ ...(first as ExpanderBus), ...bus }, ...others],
    devices: [{ ...(one as Device), ...device }, ...rest],
    ...more,
  };
}

/** Returns the lines of the text of a plan that are different with other values. */
function linesThatDiffer(parts: Parameters<typeof changed>[0], others: Partial<typeof view> = {}): string[] {
  const before = new Set(renderPlan(planned, view).split('\n'));
  return renderPlan(changed(parts), { ...view, ...others })
    .split('\n')
    .filter((line) => !before.has(line));
}

const emptyPort = (more: Partial<Port>): Port => ({
  ...(planned.expanderBuses[0]?.ports[0] as Port),
  devices: [],
  ...more,
});

describe('a plan as text', () => {
  it('has each part', () => {
    expect(renderPlan(planned, view)).toMatchInlineSnapshot(`
      "vm: 3 of 3 host devices behind 2 vSMMUs; the domain changes.

      Behind a vSMMU
        Each device is on an expander bus for its own SMMU.
        smmu3.0x000000000c000000: expander bus 5, new, buses ee-f6
          vSMMU accel=on
          port 6  0000:01:00.0  Ethernet  0000:02:00.0 -> 0000:ef:00.0
        smmu3.0x000000000c020000: expander bus 7, new, buses f7-ff
          vSMMU accel=on
          port 8  0000:02:00.0  Ethernet  no address -> 0000:f8:00.0
          port 9  0000:03:00.0  Ethernet  no address -> 0000:f9:00.0

      Bus numbers
          1  pcie.0 itself
          4  ports and expander buses below pcie.0
          4  in reserve
          9  the expander bus of smmu3.0x000000000c000000
          9  the expander bus of smmu3.0x000000000c020000
        229  free

      What the guest will notice
        1 host device at another PCI address, as above
        2 more SMMUv3s
        new ports on pcie.0: 3 4
        new NIC names, which udev derives from the address; adapt what uses the old
          names:
          0000:01:00.0  enp2s0 -> enp239s0

      No longer possible
        live migration, save and managed save, snapshots with memory: QEMU refuses
        them with an accelerated vSMMU. Disk-only snapshots work.
      "
    `);
  });

  const PARTS: [title: string, parts: Parameters<typeof changed>[0], others?: Partial<typeof view>][] = [
    ['a domain without a name', {}, { name: '' }],
    ['nothing to change', { changed: false }],
    ['no device', { devices: [], expanderBuses: [] }],
    [
      'one device that is not placed',
      { devices: [{ ...(planned.devices[0] as Device), verdict: 'bypassed', reason: 'x' }] },
    ],
    ['an expander bus with one bus number on a cell', { bus: { busNumbers: 1, kept: true, node: 3 } }],
    ['a vSMMU that goes', { bus: { vsmmu: {}, vsmmuChange: 'remove' } }],
    ['an expander bus without a vSMMU', { bus: { vsmmu: {}, vsmmuChange: 'none' } }],
    ['values of a vSMMU', { bus: { vsmmu: { accel: 'on', oas: '48' } } }],
    ['a free port', { bus: { ports: [emptyPort({ reserve: 0 })] } }],
    ['a free port with a reservation', { bus: { ports: [emptyPort({ reserve: 2 ** 37 })] } }],
    [
      'a switch',
      {
        bus: {
          ports: [
            emptyPort({ controllerIndex: 20 as never }),
            emptyPort({
              controllerIndex: 121 as never,
              model: 'pcie-switch-upstream-port',
              address: { bus: 20 as never, slot: 0, function: 0 },
            }),
          ],
        },
      },
    ],
    ['group members', { groupMembers: ['0000:09:00.0' as Bdf] }],
    [
      'a device that is not on the host',
      { device: { bdf: '0000:08:00.0', verdict: 'bypassed', reason: 'device-bypassed' } },
    ],
    ['no ledger', { busNumbers: [] }],
    ['addresses that libvirt chooses', {}, { after: { ...view.after, complete: false } }],
    ['no address before', {}, { before: { ...view.before, functions: [] } }],
    ['no address afterwards', {}, { after: { ...view.after, functions: [] } }],
  ];

  it('has lines for each special case', async () => {
    const texts = PARTS.map(([title, parts, others]) => [title, ...linesThatDiffer(parts, others), ''].join('\n'));
    await expect(texts.join('\n')).toMatchFileSnapshot('../golden/plan-parts.txt');
  });

  it('puts the reason on a line of its own if the line would be too long', () => {
    const reason = (length: number) => {
      const parts = { device: { verdict: 'bypassed', reason: 'x'.repeat(length) } };
      return linesThatDiffer(parts).filter((line) => line.includes('xxx'));
    };
    const [start = ''] = reason(10);
    const room = 80 - start.indexOf('x');
    expect(reason(room)[0]).toHaveLength(80);
    expect(reason(room + 1)).toEqual([`    ${'x'.repeat(room + 1)}`]);
  });
});

describe('the consequences of a plan', () => {
  const PARTS: [title: string, parts: Partial<Plan>][] = [
    [
      'renumbered devices',
      {
        renumbered: [1, 2].map((slot) => ({
          from: { bus: 0, slot: 0, function: 0 },
          to: { bus: 0, slot, function: 0 },
          multifunction: false,
        })) as never,
      },
    ],
    ['one vSMMU', { expanderBuses: planned.expanderBuses.slice(0, 1) }],
    [
      'new ports',
      { rootPorts: [emptyPort({ controllerIndex: 7 as never }), emptyPort({ controllerIndex: 9 as never })] },
    ],
    ['no new vSMMU', { expanderBuses: planned.expanderBuses.map((each) => ({ ...each, vsmmuChange: 'none' })) }],
    ['no acceleration', { expanderBuses: planned.expanderBuses.map((each) => ({ ...each, vsmmu: { ats: 'on' } })) }],
    [
      'cells',
      {
        numa: {
          created: { outermost: 'cpu', cell: 0, cpus: '0-3', memory: 4194304 },
          initiators: [{ cell: 1, device: '0000:01:00.0', hostNode: 2 }],
          distances: [],
        } as never,
        devices: planned.devices.map((each) => ({ ...each, nodeset: '1-8' })),
      },
    ],
    ['space for BARs', { pcihole64: { before: null, after: (2 ** 30) as never, controllerAdded: false } }],
    ['settings', { settings: { romBars: ['0000:01:00.0' as Bdf], ras: true, hugePages: 'on' } }],
    ['sized huge pages', { settings: { romBars: [], ras: false, hugePages: 2048 as never } }],
  ];

  it('have lines for each special case', async () => {
    const before = new Set(renderConsequences(planned, view).split('\n'));
    const texts = PARTS.map(([title, parts]) => {
      const lines = renderConsequences({ ...planned, ...parts }, view).split('\n');
      return [title, ...lines.filter((line) => !before.has(line)), `${lines.length} lines`, ''].join('\n');
    });
    await expect(texts.join('\n')).toMatchFileSnapshot('../golden/consequences.txt');
  });

  it('include the names of NICs only if they change', () => {
    const text = (before: GuestView, after: GuestView) => renderConsequences(planned, { ...view, before, after });
    expect(text(view.before, view.after)).toMatch(/new NIC names[\s\S]* {4}0000:01:00\.0 {2}enp\w+ -> enp\w+\n/);
    expect(text(view.after, view.after)).not.toMatch(/NIC names|another PCI address/);
    expect(text({ ...view.before, functions: [] }, view.after)).not.toMatch(/NIC names|another PCI address/);
  });
});
