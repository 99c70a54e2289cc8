import type { Bdf } from '../domain/address.js';
import type { PciDevice, Topology } from '../generated/topology.js';
import { misfit } from '../json.js';
import { findEndlessParents } from './parents.js';

type Fail = (path: string, message: string) => never;

/**
 * Checks what a schema cannot say: that a topology's names are there once and mean something, that no bridge is below
 * itself, and that a group is behind one SMMU. Throws an InputError (`topology-invalid`) with the JSON Pointer, below
 * `path`, of the first value that is wrong.
 */
export function checkConsistency(topology: Topology, file: string, path: string): void {
  const fail: Fail = (below, message) => {
    throw misfit(file, 'topology-invalid', path + below, message);
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
      fail(`/nodes/${index}/distances`, `must have ${nodes.length} items, one for each node`);
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
    if (seen.has(value)) fail(`${path}/${index}/${key}`, `${value} is there twice`);
    seen.add(value);
  }
}

function checkSmmus({ smmus, devices }: Topology, fail: Fail): void {
  const names = new Set(smmus.map((smmu) => smmu.name));
  for (const [index, { smmu }] of devices.entries()) {
    if (smmu !== null && !names.has(smmu))
      fail(`/devices/${index}/smmu`, `${JSON.stringify(smmu)} is not among the smmus`);
  }
}

function checkParents(devices: readonly PciDevice[], fail: Fail): void {
  const byAddress = new Map<Bdf, PciDevice>(devices.map((device) => [device.bdf, device]));
  for (const [index, { parent }] of devices.entries()) {
    const path = `/devices/${index}/parent`;
    if (parent !== null && !byAddress.get(parent)?.bridge) fail(path, `${parent} is not among the devices as a bridge`);
  }
  const endless = findEndlessParents(byAddress);
  if (endless) fail(`/devices/${devices.indexOf(endless)}/parent`, `${endless.bdf} is below itself`);
}

/** The kernel makes a group of what one SMMU cannot tell apart. */
function checkGroups(devices: readonly PciDevice[], fail: Fail): void {
  const first = new Map<number, PciDevice>();
  for (const [index, device] of devices.entries()) {
    if (device.group === null) continue;
    const mate = first.get(device.group) ?? device;
    first.set(device.group, mate);
    if (mate.smmu === device.smmu) continue;
    const { bdf, smmu, group } = mate;
    fail(`/devices/${index}/smmu`, `${bdf} is in IOMMU group ${group}, too, and behind ${smmu ?? 'no SMMU'}`);
  }
}
