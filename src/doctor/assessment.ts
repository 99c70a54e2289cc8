import type { Bdf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import { classInWords } from '../host/class-names.js';
import { portsWithoutAcs } from '../host/groups.js';
import type { Host } from '../host/host.js';
import { isBmcGraphics } from '../host/locality.js';

/** Why devices cannot be placed behind a vSMMU. */
export type Obstacle =
  /** No device of the host is in an IOMMU group. */
  | 'iommu-off'
  /** The host has IOMMU groups and no SMMUv3, such as an x86 host. */
  | 'no-smmu'
  | 'no-group'
  | 'behind-no-smmu'
  | 'no-nesting'
  | 'direct-region'
  /** The group also has what is below a port without ACS. */
  | 'port-without-acs'
  /** The group has the functions of one card. */
  | 'functions-without-acs';

/** Devices that cannot be placed behind a vSMMU for one reason. */
export interface Hindrance {
  readonly obstacle: Obstacle;
  readonly devices: readonly PciDevice[];
  /** The ports without ACS. */
  readonly ports: readonly Bdf[];
}

/** What can be placed on a host, and what prevents the rest. */
export interface Assessment {
  /** The endpoints that a guest could have: all except the graphics of the host's management controller. */
  readonly devices: readonly PciDevice[];
  readonly placeable: readonly PciDevice[];
  readonly hindrances: readonly Hindrance[];
}

/** Assesses what can be placed behind vSMMUs on a host. The result does not depend on a domain or a policy. */
export function assess(host: Host): Assessment {
  const devices = host.endpoints.filter((device) => !isBmcGraphics(device));
  const isOff = host.smmus.length === 0 && host.topology.devices.every(({ group }) => group === null);
  const reasons = groupBy(devices, (device) => {
    const why = isOff ? 'iommu-off' : obstacleOf(device, host);
    return why === undefined ? '' : why.endsWith('-without-acs') ? `${why} ${device.group}` : why;
  });
  const placeable = reasons.get('') ?? [];
  const hindrances = [...reasons].flatMap(([reason, members]): readonly Hindrance[] => {
    if (reason === '') return [];
    const [obstacle, group] = reason.split(' ') as [Obstacle, string | undefined];
    const ports = obstacle === 'port-without-acs' ? portsWithoutAcs(host.groupMembers(Number(group))) : [];
    return [{ obstacle, devices: members, ports }];
  });
  return { devices, placeable, hindrances };
}

function obstacleOf(device: PciDevice, host: Host): Obstacle | undefined {
  if (host.smmus.length === 0) return 'no-smmu';
  if (device.group === null) return 'no-group';
  if (device.smmu === null) return 'behind-no-smmu';
  if (host.smmu(device.smmu)?.features?.nesting === false) return 'no-nesting';
  const members = host.groupMembers(device.group);
  if (members.some(({ directRegions = [] }) => directRegions.length > 0)) return 'direct-region';
  if (members.length === 1) return undefined;
  return members.some(({ bridge }) => bridge) ? 'port-without-acs' : 'functions-without-acs';
}

/** Why each obstacle exists, and the setting or firmware that would remove it; null where none is known. */
const WORDS: Readonly<Record<Obstacle, { readonly why: string; readonly remedy: string | null }>> = {
  'iommu-off': {
    why: 'no device has an IOMMU group: the SMMU is off',
    remedy: 'the SMMU turned on (on x86: VT-d or AMD-Vi)',
  },
  'no-smmu': { why: 'the IOMMU of the host is not an SMMUv3', remedy: null },
  'no-group': { why: 'in no IOMMU group', remedy: null },
  'behind-no-smmu': { why: 'behind no SMMUv3', remedy: null },
  'no-nesting': { why: 'their SMMU has no nested translation', remedy: null },
  'direct-region': {
    why: 'the firmware maps a fixed memory range for them',
    remedy: 'no fixed memory range (RMR in the IORT)',
  },
  'port-without-acs': { why: 'a port above them has no ACS', remedy: 'ACS, where it can be enabled, on' },
  'functions-without-acs': { why: 'functions of one card, without ACS between them', remedy: null },
};

/** Returns why devices cannot be placed, and what would change that; null if nothing is known to. */
export function explainHindrance({ obstacle, ports }: Hindrance): {
  readonly why: string;
  readonly remedy: string | null;
} {
  const { why, remedy } = WORDS[obstacle];
  return { why, remedy: obstacle === 'port-without-acs' ? `${remedy} ${ports.join(', ')}` : remedy };
}

/** Counts devices by their class, in words: `4 3D, 2 NVMe`; the most frequent first. */
export function countByClass(devices: readonly PciDevice[]): string {
  return [...groupBy(devices, ({ class: code }) => classInWords(code))]
    .sort(([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1))
    .map(([what, { length }]) => `${length} ${what}`)
    .join(', ');
}
