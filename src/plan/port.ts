import type { ControllerIndex, Place } from '../domain/address.js';
import { isVsmmuAlias } from '../domain/alias.js';
import type { PciController } from '../domain/controller.js';
import { parseQemuSize, reserveOf } from '../domain/overrides.js';
import { ROOT_BUS } from '../domain/pci-tree.js';
import type { Port } from '../generated/plan.js';
import { windowBytes } from '../host/bars.js';
import type { Allocator } from './allocate.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import type { PlanContext } from './stage.js';

/** Returns a port to add, with the next controller index. */
export function newPort(
  allocator: Allocator,
  { address, multifunction }: Place,
  alias: (index: ControllerIndex) => string | null,
  model: Port['model'] = 'pcie-root-port',
): Port {
  const controllerIndex = allocator.allocateIndex();
  return {
    controllerIndex,
    model,
    address,
    chassis: model === 'pcie-switch-upstream-port' ? null : allocator.allocateChassis(controllerIndex),
    multifunction,
    alias: alias(controllerIndex),
    kept: false,
    devices: [],
    reserve: 0,
  };
}

/** Returns an existing port; nothing for a controller that is not a port. */
export function keptPort({ index, model, address, chassis, multifunction, alias }: PciController): Port[] {
  if (!isPortModel(model)) return [];
  return [
    {
      controllerIndex: index,
      model,
      address: address ?? { bus: ROOT_BUS, slot: 0, function: 0 },
      chassis: chassis ?? index,
      multifunction,
      alias: alias ?? null,
      kept: true,
      devices: [],
      reserve: 0,
    },
  ];
}

function isPortModel(model: string): model is Port['model'] {
  return /^pcie-(root|switch-upstream|switch-downstream)-port$/.test(model);
}

/**
 * Returns the ports of an expander bus with nothing behind them, neither a device nor another port.
 * @param free the existing ports that have nothing behind them once devices have left
 */
export function sparePortsOf(ports: readonly Port[], free: readonly PciController[]): readonly Port[] {
  const occupied = new Set(ports.map(({ address }) => address.bus));
  const usable = new Set(free.map(({ index }) => index));
  return ports.filter(
    ({ devices, controllerIndex, kept, model }) =>
      devices.length === 0 &&
      !occupied.has(controllerIndex) &&
      model !== 'pcie-switch-upstream-port' &&
      (!kept || usable.has(controllerIndex)),
  );
}

/**
 * Reserves memory on the spare ports of an expander bus, for devices that are attached later. Never
 * reduces an existing reservation.
 */
export function withReserves(
  ports: readonly Port[],
  { vsmmu, freePorts }: ExpanderBusRequest,
  { domain, policy: { spareMemory } }: PlanContext,
): readonly Port[] {
  const spare = new Set(vsmmu ? sparePortsOf(ports, freePorts) : []);
  const wanted = spareMemory === 0 ? 0 : windowBytes(parseQemuSize(spareMemory) ?? 0);
  return ports.map((port) => {
    // An override refers to a port by its alias, and `revert` removes the overrides of ports that vsmmu added.
    const bytes = spare.has(port) && isVsmmuAlias(port.alias ?? undefined) ? wanted : 0;
    return { ...port, reserve: Math.max(reserveOf(domain.overrides, port.alias), bytes) };
  });
}
