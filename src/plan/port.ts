import type { ControllerIndex, GuestAddress } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import { reserveOf } from '../domain/overrides.js';
import { ROOT_BUS } from '../domain/pci-tree.js';
import type { Port } from '../generated/plan.js';
import type { Allocator } from './allocate.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import { spareBytes } from './spare-memory.js';
import type { PlanContext } from './stage.js';

/** The properties of a port to add. */
export interface NewPort {
  readonly address: GuestAddress;
  readonly alias: (index: ControllerIndex) => string;
  readonly model?: Port['model'];
  readonly multifunction?: boolean;
}

/** Returns a port to add, with the next controller index. */
export function newPort(
  allocator: Allocator,
  { address, alias, model = 'pcie-root-port', multifunction = false }: NewPort,
): Port {
  const controllerIndex = allocator.index();
  return {
    controllerIndex,
    model,
    address,
    chassis: model === 'pcie-switch-upstream-port' ? null : allocator.chassis(controllerIndex),
    multifunction,
    alias: alias(controllerIndex),
    kept: false,
    devices: [],
    reserve: 0,
  };
}

/** Returns an existing port, with those of the given devices that are behind it. */
export function keptPort(controller: PciController, inPlace: readonly HostDevice[]): Port {
  return {
    controllerIndex: controller.index,
    model: controller.model as Port['model'],
    address: controller.address ?? { bus: ROOT_BUS, slot: 0, function: 0 },
    chassis: controller.chassis ?? controller.index,
    multifunction: controller.multifunction,
    alias: controller.alias ?? null,
    kept: true,
    devices: inPlace.filter((d) => d.address?.bus === controller.index).map((d) => d.bdf),
    reserve: 0,
  };
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
  { domain, policy }: PlanContext,
): readonly Port[] {
  const spare = new Set(vsmmu ? sparePortsOf(ports, freePorts) : []);
  return ports.map((port) => {
    // An override can refer to a port only by a user alias.
    const bytes = spare.has(port) && port.alias?.startsWith('ua-') ? spareBytes(policy) : 0;
    return { ...port, reserve: Math.max(reserveOf(domain.overrides, port.alias), bytes) };
  });
}
