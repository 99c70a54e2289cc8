import type { Bdf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import { classInWords } from '../host/class-names.js';
import { portsWithoutAcs } from '../host/groups.js';
import type { Host } from '../host/host.js';
import { isBmcGraphics } from '../host/locality.js';

/** A reason why devices cannot be placed behind a vSMMU. */
export type ObstacleKind =
  /** No device of the host is in an IOMMU group. */
  | 'iommu-off'
  /** The host has IOMMU groups and no SMMUv3, such as an x86 host. */
  | 'no-smmu'
  | 'no-group'
  | 'behind-no-smmu'
  | 'no-nesting'
  | 'direct-region'
  /** The group has all devices below a port without ACS. */
  | 'port-without-acs'
  /** The group has several functions of one card. */
  | 'functions-without-acs';

/** Devices that cannot be placed behind a vSMMU for the same reason. */
export interface Obstacle {
  readonly kind: ObstacleKind;
  readonly devices: readonly PciDevice[];
  /** For `port-without-acs`: the ports without ACS; otherwise empty. */
  readonly ports: readonly Bdf[];
}

/** The devices of a host that can be placed, and why the others cannot. */
export interface Assessment {
  /** The endpoints that a guest could have: all except the graphics of the host's management controller. */
  readonly devices: readonly PciDevice[];
  readonly placeable: readonly PciDevice[];
  readonly obstacles: readonly Obstacle[];
}

/** Assesses what can be placed behind vSMMUs on a host. The result does not depend on a domain or a policy. */
export function assess(host: Host): Assessment {
  const devices = host.endpoints.filter((device) => !isBmcGraphics(device));
  const isOff = host.smmus.length === 0 && host.topology.devices.every(({ group }) => group === null);
  const placeable: PciDevice[] = [];
  const obstacles: { kind: ObstacleKind; group: number | null; devices: PciDevice[] }[] = [];
  for (const device of devices) {
    const kind = isOff ? 'iommu-off' : obstacleKindOf(device, host);
    const group = kind?.endsWith('-without-acs') ? device.group : null;
    const known = obstacles.find((each) => each.kind === kind && each.group === group);
    if (kind === undefined) placeable.push(device);
    else if (known) known.devices.push(device);
    else obstacles.push({ kind, group, devices: [device] });
  }
  const portsOf = (kind: ObstacleKind, group: number | null) =>
    kind === 'port-without-acs' && group !== null ? portsWithoutAcs(host.groupMembers(group)) : [];
  return {
    devices,
    placeable,
    obstacles: obstacles.map(({ kind, group, devices }) => ({ kind, devices, ports: portsOf(kind, group) })),
  };
}

function obstacleKindOf(device: PciDevice, host: Host): ObstacleKind | undefined {
  if (host.smmus.length === 0) return 'no-smmu';
  if (device.group === null) return 'no-group';
  if (device.smmu === null) return 'behind-no-smmu';
  if (host.smmu(device.smmu)?.features?.nesting === false) return 'no-nesting';
  const members = host.groupMembers(device.group);
  if (members.some(({ directRegions = [] }) => directRegions.length > 0)) return 'direct-region';
  if (members.length === 1) return undefined;
  return members.some(({ bridge }) => bridge) ? 'port-without-acs' : 'functions-without-acs';
}

/** The reason for each obstacle, and what to do about it; null if no remedy is known. */
const WORDS: Readonly<Record<ObstacleKind, { readonly why: string; readonly remedy: string | null }>> = {
  'iommu-off': {
    why: 'no device has an IOMMU group: the SMMU is off',
    remedy: 'enable the SMMU (an x86 host has none)',
  },
  'no-smmu': { why: 'the IOMMU of the host is not an SMMUv3', remedy: null },
  'no-group': { why: 'in no IOMMU group', remedy: null },
  'behind-no-smmu': { why: 'behind no SMMUv3', remedy: null },
  'no-nesting': { why: 'their SMMU has no nested translation', remedy: null },
  'direct-region': {
    why: 'the firmware reserves a memory range for them',
    remedy: 'remove the memory range that the firmware reserves (RMR in the IORT)',
  },
  'port-without-acs': { why: 'a port above them has no ACS', remedy: 'enable ACS, if possible, on' },
  'functions-without-acs': { why: 'functions of one card, without ACS between them', remedy: null },
};

/** Returns why devices cannot be placed, and what to do about it; null if no remedy is known. */
export function explainObstacle({ kind, ports }: Obstacle): {
  readonly why: string;
  readonly remedy: string | null;
} {
  const { why, remedy } = WORDS[kind];
  return { why, remedy: kind === 'port-without-acs' ? `${remedy} ${ports.join(', ')}` : remedy };
}

/** Counts devices by their class, in words: `4 3D, 2 NVMe`; the most frequent first. */
export function countByClass(devices: readonly PciDevice[]): string {
  return [...groupBy(devices, ({ class: code }) => classInWords(code))]
    .sort(([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1))
    .map(([what, { length }]) => `${length} ${what}`)
    .join(', ');
}
