import type { Bdf } from '../domain/address.js';
import { formatKib } from '../domain/size.js';
import type { Plan, Port } from '../generated/plan.js';
import type { GuestView } from '../guest/predict.js';
import { formatSize } from '../plan/spare-memory.js';

/** What a plan is shown with: what the guest sees before it and after it. */
export interface Views {
  readonly before: GuestView;
  readonly after: GuestView;
}

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** A plan for people to read, 80 columns wide: each bridge with its ports and devices, what stays, who takes bus numbers. */
export function renderPlan(plan: Plan, { before, after }: Views): string {
  const was = addresses(before);
  const is = addresses(after);
  const move = (bdf: Bdf): string => {
    const [from = '-', to = '-'] = [was.get(bdf), is.get(bdf)];
    return from === to ? to : `${from} -> ${to}`;
  };
  const lines: string[] = [];
  for (const bridge of plan.bridges) {
    const last = bridge.busNr + bridge.busNumbers - 1;
    const values = Object.entries(bridge.vsmmu).map(([name, value]) => `${name}=${value}`);
    lines.push(
      `${bridge.smmu}: bridge ${bridge.controllerIndex}, buses ${hex(bridge.busNr)}-${hex(last)}${cell(bridge)}${bridge.kept ? '' : ', new'}`,
      `  vSMMU ${values.join(' ') || 'none, since nothing is behind it'}`,
    );
    for (const port of bridge.ports) {
      const label = `  port ${port.controllerIndex}`.padEnd(11);
      const devices =
        port.devices.length > 0 ? port.devices.map((bdf) => `${bdf}  ${move(bdf)}`) : [emptyLabel(port, bridge.ports)];
      for (const [i, device] of devices.entries()) lines.push((i === 0 ? label : ' '.repeat(11)) + device);
    }
  }
  const bypassed = plan.devices.filter((device) => device.verdict === 'bypassed');
  if (bypassed.length > 0) lines.push('behind no vSMMU:');
  for (const { bdf, reason } of bypassed) lines.push(`           ${bdf}  ${move(bdf)}  ${reason ?? ''}`);
  if (plan.rootPorts.length > 0) {
    lines.push(`new ports on pcie.0: ${plan.rootPorts.map((port) => port.controllerIndex).join(' ')}`);
  }
  lines.push(...memoryLines(plan));
  if (plan.busNumbers.length > 0) {
    lines.push('bus numbers:');
    for (const { taker, count } of plan.busNumbers) lines.push(`  ${String(count).padStart(3)}  ${taker}`);
  }
  lines.push(plan.changed ? 'the domain changes' : 'nothing to do');
  return `${lines.join('\n')}\n`;
}

function emptyLabel({ controllerIndex, reserve }: Port, all: readonly Port[]): string {
  const below = all.filter((port) => port.address.bus === controllerIndex).map((port) => port.controllerIndex);
  if (below.length > 0) return `above port ${below.join(', ')}`;
  return reserve === 0 ? 'spare' : `spare, keeps ${formatSize(reserve)} free`;
}

function cell({ node }: Plan['bridges'][number]): string {
  return node === null ? '' : `, NUMA cell ${node}`;
}

/** What the guest gets of NUMA cells and of space for 64-bit BARs. */
function memoryLines({ numa, pcihole64, devices }: Plan): string[] {
  const lines: string[] = [];
  const { created } = numa;
  if (created) lines.push(`new NUMA cell ${created.cell}: CPUs ${created.cpus}, ${formatKib(created.memory)}`);
  const added = new Set(numa.initiators.map(({ device }) => device));
  for (const { bdf, nodeset } of devices) {
    if (added.has(bdf)) lines.push(`new NUMA cells ${nodeset}: the Generic Initiators of ${bdf}`);
  }
  if (pcihole64) lines.push(`64-bit MMIO space: ${formatKib(pcihole64.after)}`);
  return lines;
}

function addresses(view: GuestView): ReadonlyMap<Bdf, Bdf> {
  return new Map(view.functions.flatMap((f) => (f.host === null ? [] : [[f.host, f.address]])));
}
