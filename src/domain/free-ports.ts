import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { sparePortExposed, sparePortUnguarded } from '../diagnostics/expander-buses.js';
import type { ControllerIndex } from './address.js';
import type { Domain } from './domain.js';
import type { Occupant } from './pci-tree.js';

/** Returns how many devices libvirt will choose an address for, without those that leave their slot. */
export function awaitingDevices(domain: Domain, leaving: ReadonlySet<Occupant> = new Set()): number {
  const staying = domain.hostDevices.filter((d) => d.awaitsAddress && !d.unassigned && !leaving.has(d));
  return staying.length + domain.otherDevices.filter((d) => d.awaitsAddress).length + domain.impliedDevices;
}

/** A port that has nothing behind it. */
export type SparePort = { readonly index: ControllerIndex; readonly location?: Location | undefined };

/** Ports that have nothing behind them, and how many devices wait for one. */
export interface FreePorts {
  /** Behind accelerated vSMMUs. */
  readonly spare: readonly SparePort[];
  /** On `pcie.0`. */
  readonly guards: readonly ControllerIndex[];
  readonly awaiting: number;
}

/**
 * Reports whether libvirt would put an emulated device behind a vSMMU now, or could do so when the next device is added.
 * libvirt 12.8 gives a device without an address the free port with the lowest index, wherever that port is.
 */
export function sparePortDiagnostics({ spare, guards, awaiting }: FreePorts): readonly Diagnostic[] {
  const [lowest] = spare.toSorted((a, b) => a.index - b.index);
  if (!lowest) return [];
  const { index, location } = lowest;
  const before = guards.filter((guard) => guard < index).length;
  if (awaiting > before) return [sparePortExposed({ port: index, devices: awaiting, location })];
  return spare.length <= before ? [] : [sparePortUnguarded({ port: index, location })];
}
