import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExpanderBus, Plan, Port } from '../../src/generated/plan.js';
import { addrText, type PciLayout } from './argv.js';
import { CapturedHosts, goldenCases, randomCases, sampleCases, specialCases, titled } from './cases.js';
import { forCommandLine, hostAddresses, pciAddresses } from './domain.js';
import { Lab } from './lab.js';
import { commandLine, tryDomain } from './trial.js';
import { rewrite } from './vsmmu.js';

const hosts = new CapturedHosts();
const counts: readonly (readonly [string, number])[] = [
  ['host-a', 10],
  ['one-smmu', 5],
  ['two-smmus', 8],
  ['multifunction', 8],
  ['sixteen-smmus', 8],
  ['generic-initiators', 8],
];
const special = await specialCases(hosts);
const random = await Promise.all(counts.map(([host, count]) => randomCases(hosts, host, count)));

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await lab[Symbol.asyncDispose]();
});

describe('libvirt accepts the output of vsmmu', () => {
  it.for(titled([...sampleCases(), ...goldenCases(), ...special, ...random.flat()]))(
    '%s',
    async ([, each], { task }) => {
      const { plan, rewritten, dump } = await tryDomain(lab, each);
      task.meta.lab = { defined: 1 };
      expect(pciAddresses(dump), 'libvirt keeps every address').toEqual(pciAddresses(rewritten));
      expect(await rewrite(dump, each.options), 'the second run changes nothing').toBe(dump);

      const { layout } = await commandLine(lab, dump);
      task.meta.lab = { defined: 1, compared: 1 };
      expect(bridgesIn(layout)).toEqual(bridgesOf(plan));
      expect(devicesIn(layout, hostAddresses(forCommandLine(dump)))).toEqual(devicesOf(plan));
      expect(smmusAfterTheirDevices(layout), 'an SMMU precedes what is behind it').toEqual([]);
    },
  );
});

/** The name in QEMU of the bus of a controller: its alias, or libvirt's default. */
function busName(controller: ExpanderBus | Port): string {
  return controller.alias ?? `pci.${controller.controllerIndex}`;
}

/** Expander buses with their ports, and SMMUs, as sentences in the order of bus numbers, without the devices. */
function bridgesOf(plan: Plan): string[] {
  return plan.expanderBuses
    .toSorted((a, b) => a.busNr - b.busNr)
    .map((expanderBus) => {
      const ports = expanderBus.ports
        .filter(({ address }) => address.bus === expanderBus.controllerIndex)
        .map((port) => `${busName(port)} at ${addrText(port.address.slot, port.address.function)}`);
      const accel = expanderBus.vsmmu.accel === 'on';
      return `${busName(expanderBus)}: bus number ${expanderBus.busNr}, accelerated SMMUs ${accel ? 1 : 0}, ports ${ports.sort().join(', ')}`;
    });
}

function bridgesIn(layout: PciLayout): string[] {
  // An expander bus without an SMMU belongs to the user. If one that vsmmu added has no SMMU, the lists differ.
  return layout.expanderBuses
    .filter(({ id }) => layout.smmus.some((smmu) => smmu.expanderBus === id))
    .toSorted((a, b) => a.busNr - b.busNr)
    .map(({ id, busNr }) => {
      const ports = layout.ports.filter((port) => port.bus === id).map((port) => `${port.id} at ${port.addr}`);
      const smmus = layout.smmus.filter((smmu) => smmu.expanderBus === id && smmu.accel).length;
      return `${id}: bus number ${busNr}, accelerated SMMUs ${smmus}, ports ${ports.sort().join(', ')}`;
    });
}

/** The address of each host device and whether it has an iommufd backend, as sentences, in the order of addresses. */
function devicesOf(plan: Plan): string[] {
  const ports = plan.expanderBuses.flatMap((expanderBus) => [...expanderBus.ports]);
  const nameOf = (index: number): string => {
    const port = ports.find((each) => each.controllerIndex === index);
    if (port !== undefined) return busName(port);
    return index === 0 ? 'pcie.0' : `pci.${index}`;
  };
  return plan.devices
    .flatMap(({ bdf, to, iommufd }) => {
      if (to === null) return [];
      return [
        `${bdf} on ${nameOf(to.bus)} at ${addrText(to.slot, to.function)}${iommufd === 'yes' ? ' with iommufd' : ''}`,
      ];
    })
    .sort();
}

function devicesIn(layout: PciLayout, addresses: readonly string[]): string[] {
  return layout.hostDevices
    .map(({ index, bus, addr, iommufd }) => `${addresses[index]} on ${bus} at ${addr}${iommufd ? ' with iommufd' : ''}`)
    .sort();
}

function smmusAfterTheirDevices(layout: PciLayout): string[] {
  const bridgeOf = new Map(layout.ports.map((port) => [port.id, port.bus]));
  return layout.hostDevices.flatMap((device) => {
    const smmu = layout.smmus.find((each) => each.expanderBus === bridgeOf.get(device.bus));
    return smmu !== undefined && smmu.position > device.position ? [`hostdev${device.index}`] : [];
  });
}
