import { type Diagnostic, diagnostic, type Location } from '../diagnostics.js';
import type { ControllerIndex } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import type { Occupant } from '../domain/pci-tree.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import type { PortAssignment } from './mirror.js';
import type { Policy } from './policy.js';

/** The number of devices that libvirt will choose an address for, without those that leave their slot. */
export function awaitingDevices(domain: Domain, leaving: ReadonlySet<Occupant> = new Set()): number {
  const staying = domain.hostDevices.filter((d) => d.awaitsAddress && !d.unassigned && !leaving.has(d));
  return staying.length + domain.otherDevices.filter((d) => d.awaitsAddress).length + domain.impliedControllers;
}

/** A port that has nothing behind it. */
export type SparePort = { readonly index: ControllerIndex; readonly location?: Location | undefined };

/** In words: `a device`, `3 devices`. */
function countDevices(count: number): string {
  return count === 1 ? 'a device' : `${count} devices`;
}

/** Ports that have nothing behind them, and how many devices will look for one. */
export interface FreePorts {
  /** Behind accelerated vSMMUs. */
  readonly spare: readonly SparePort[];
  /** On `pcie.0`. */
  readonly guards: readonly ControllerIndex[];
  readonly awaiting: number;
}

/**
 * Whether libvirt would put an emulated device behind a vSMMU, or could when the next one is added: 12.8 gives what has no
 * address the free port with the lowest index, wherever that port is.
 */
export function spareExposure({ spare, guards, awaiting }: FreePorts): readonly Diagnostic[] {
  const [lowest] = spare.toSorted((a, b) => a.index - b.index);
  if (!lowest) return [];
  const { index, location } = lowest;
  const before = guards.filter((guard) => guard < index).length;
  const exposed = `libvirt would give the port ${index}, which is behind a vSMMU, to`;
  if (awaiting > before) {
    const message = `${exposed} what has no address yet (${countDevices(awaiting)})`;
    const hint = 'give each device an <address> on a port of pcie.0, or take that port out';
    return [diagnostic('spare-port-exposed', message, { location, hint })];
  }
  if (spare.length <= before) return [];
  return [diagnostic('spare-port-unguarded', `${exposed} a device that is added without an address`, { location })];
}

/** The spare ports that an expander bus with a vSMMU lacks, as far as it has room for them. */
export function lackingSpare(
  { vsmmu, room, existing, smmu }: ExpanderBusRequest,
  { singles, freePorts, newPorts }: PortAssignment,
  { sparePorts }: Policy,
): { readonly spare: number; readonly diagnostics: readonly Diagnostic[] } {
  if (!vsmmu) return { spare: 0, diagnostics: [] };
  const lacking = Math.max(0, sparePorts - Math.max(0, freePorts.length - singles.length));
  const left = Math.max(0, room - newPorts);
  if (lacking <= left) return { spare: lacking, diagnostics: [] };
  const present = existing?.controller;
  const which = present ? `expander bus ${present.index}` : 'the expander bus';
  const message = `${which} of ${smmu} has room for ${left} more spare ports, not ${lacking}`;
  return {
    spare: left,
    diagnostics: [diagnostic('spare-ports-left-out', message, { location: present?.location })],
  };
}
