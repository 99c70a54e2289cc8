import { count } from '../../diagnostics/words.js';
import { formatKib } from '../../domain/size.js';
import type { Plan } from '../../generated/plan.js';
import { nicName } from '../../guest/nic-names.js';
import { guestAddresses } from '../../guest/predict.js';
import type { PlanView } from './plan-view.js';
import { item, paragraph, section } from './typeset.js';

/** Renders the consequences of a plan other than the placement of devices. */
export function renderConsequences(plan: Plan, view: PlanView): string {
  return section('What the guest will notice', noticed(plan, view)) + section('No longer possible', lost(plan));
}

function noticed(plan: Plan, view: PlanView): string {
  return [...moved(plan, view), ...added(plan)].map((text) => item(text, '  ')).join('') + renamed(plan, view);
}

/** Returns lines about devices that get another PCI address in the guest. */
function moved({ devices, renumbered }: Plan, { before, after }: PlanView): string[] {
  const [was, is] = [guestAddresses(before), guestAddresses(after)];
  const others = devices.filter(({ bdf }) => was.get(bdf) !== undefined && was.get(bdf) !== is.get(bdf)).length;
  const lines: string[] = [];
  if (others > 0) lines.push(`${count(others, 'host device')} at another PCI address, as above`);
  if (renumbered.length > 0) lines.push(`${count(renumbered.length, 'other device')} at another PCI address`);
  return lines;
}

/** Returns lines about new vSMMUs, ports, NUMA cells, MMIO space for BARs and settings. */
function added({ numa, devices, pcihole64, rootPorts, expanderBuses, settings }: Plan): string[] {
  const lines: string[] = [];
  const fresh = expanderBuses.filter(({ vsmmuChange }) => vsmmuChange === 'add').length;
  if (fresh > 0) lines.push(count(fresh, 'more SMMUv3'));
  if (rootPorts.length > 0) {
    lines.push(`new ports on pcie.0: ${rootPorts.map((port) => port.controllerIndex).join(' ')}`);
  }
  const { created } = numa;
  if (created) lines.push(`new NUMA cell ${created.cell}: CPUs ${created.cpus}, ${formatKib(created.memory)}`);
  const withInitiators = new Set(numa.initiators.map(({ device }) => device));
  for (const { bdf, nodeset } of devices) {
    if (withInitiators.has(bdf)) lines.push(`new NUMA cells ${nodeset}: the Generic Initiators of ${bdf}`);
  }
  if (pcihole64) lines.push(`64-bit MMIO space: ${formatKib(pcihole64.after)}`);
  const { romBars, ras, hugePages } = settings;
  if (romBars.length > 0) lines.push(`no option ROM: ${count(romBars.length, 'host device')}`);
  if (ras) lines.push('reports of memory errors (RAS)');
  if (hugePages !== null) lines.push(`huge pages: ${hugePages === 'on' ? "the host's default" : formatKib(hugePages)}`);
  return lines;
}

/** Renders the NICs whose names change with their address. */
function renamed({ devices }: Plan, { host, before, after }: PlanView): string {
  const names = devices.flatMap(({ bdf }) => {
    const device = host.device(bdf);
    const [from, to] = device ? [nicName(device, before), nicName(device, after)] : [];
    return from !== undefined && to !== undefined && from !== to ? [`    ${bdf}  ${from} -> ${to}\n`] : [];
  });
  if (names.length === 0) return '';
  return (
    item('new NIC names, which udev derives from the address; adapt what uses the old names:', '  ') + names.join('')
  );
}

function lost({ expanderBuses }: Plan): string {
  if (!expanderBuses.some(({ vsmmu }) => vsmmu.accel === 'on')) return '';
  return paragraph(
    'live migration, save and managed save, snapshots with memory: QEMU refuses them with an accelerated vSMMU. Disk-only snapshots work.',
  );
}
