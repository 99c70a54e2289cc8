import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { InputError } from '../diagnostics/errors.js';
import { topologyInvalid } from '../diagnostics/json.js';
import type { Bdf } from '../domain/address.js';
import type { PciDevice, Topology } from '../generated/topology.js';
import { findParentLoop } from './parents.js';

/** Throws a diagnostic about the value at a path, which is relative to the topology. */
type Fail = (below: string, at: (path: string) => Diagnostic) => never;

/**
 * Checks what a schema cannot express: names are unique, references exist, no bridge is below itself, and all devices of a
 * group are behind the same SMMU. Throws an InputError (`topology-invalid`) with the JSON Pointer, below `path`, of the first
 * wrong value.
 */
export function checkConsistency(topology: Topology, file: string, path: string): void {
  const fail: Fail = (below, at) => {
    throw new InputError({ ...at(path + below), file });
  };
  const { smmus, devices, nodes } = topology;
  checkOnce(smmus, 'name', '/smmus', fail);
  checkOnce(devices, 'bdf', '/devices', fail);
  checkOnce(nodes, 'id', '/nodes', fail);
  checkSmmus(topology, fail);
  checkParents(devices, fail);
  checkGroups(devices, fail);
  for (const [index, { distances }] of nodes.entries()) {
    if (distances.length !== nodes.length) {
      fail(`/nodes/${index}/distances`, (at) => topologyInvalid.distances({ path: at, nodes: nodes.length }));
    }
  }
}

function checkOnce<K extends string>(
  list: readonly { readonly [key in K]: string | number }[],
  key: K,
  path: string,
  fail: Fail,
): void {
  const seen = new Set<string | number>();
  for (const [index, { [key]: value }] of list.entries()) {
    if (seen.has(value)) fail(`${path}/${index}/${key}`, (at) => topologyInvalid.duplicate({ path: at, value }));
    seen.add(value);
  }
}

function checkSmmus({ smmus, devices }: Topology, fail: Fail): void {
  const names = new Set(smmus.map((smmu) => smmu.name));
  for (const [index, { smmu }] of devices.entries()) {
    if (smmu !== null && !names.has(smmu))
      fail(`/devices/${index}/smmu`, (path) => topologyInvalid.unknownSmmu({ path, smmu }));
  }
}

function checkParents(devices: readonly PciDevice[], fail: Fail): void {
  const byAddress = new Map<Bdf, PciDevice>(devices.map((device) => [device.bdf, device]));
  for (const [index, { parent }] of devices.entries()) {
    if (parent !== null && !byAddress.get(parent)?.bridge)
      fail(`/devices/${index}/parent`, (path) => topologyInvalid.unknownBridge({ path, bridge: parent }));
  }
  const loop = findParentLoop(byAddress);
  if (loop)
    fail(`/devices/${devices.indexOf(loop)}/parent`, (path) => topologyInvalid.belowItself({ path, device: loop.bdf }));
}

/** Checks that the devices of a group have the same SMMU: the kernel groups devices that their SMMU cannot distinguish. */
function checkGroups(devices: readonly PciDevice[], fail: Fail): void {
  const first = new Map<number, PciDevice>();
  for (const [index, device] of devices.entries()) {
    if (device.group === null) continue;
    const mate = first.get(device.group) ?? device;
    first.set(device.group, mate);
    if (mate.smmu === device.smmu) continue;
    const { bdf, smmu } = mate;
    const { group } = device;
    fail(`/devices/${index}/smmu`, (path) => topologyInvalid.groupSmmus({ path, device: bdf, group, smmu }));
  }
}
