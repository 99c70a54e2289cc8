import type { Smmu } from '../generated/topology.js';
import type { Bdf, ControllerIndex } from './address.js';

/**
 * The prefix of the user aliases that vsmmu gives to the devices it adds. libvirt keeps aliases that begin with `ua-` and
 * allows letters, digits, `-` and `_` in them (formatdomain, "Devices"). On QEMU's command line they are the device IDs.
 */
const PREFIX = 'ua-vsmmu-';

/** Shortens the name of an SMMU: `smmu3.0x000000000c020000` → `c020000`. */
export function shortAddress(smmu: string): string {
  return smmu.replace(/^smmu3\.0x0*(?=.)/, '');
}

/** Returns the alias of an expander bus, made of the SMMU's address and the controller index: `ua-vsmmu-smmu-c020000-12`. */
export function expanderBusAlias(smmu: string, index: ControllerIndex): string {
  return `${PREFIX}smmu-${shortAddress(smmu)}-${index}`;
}

/** Returns the alias of a port on an expander bus: `ua-vsmmu-port-13`. */
export function portAlias(index: ControllerIndex): string {
  return `${PREFIX}port-${index}`;
}

/** Returns the alias of the upstream port of a switch on an expander bus: `ua-vsmmu-switch-14`. */
export function switchAlias(index: ControllerIndex): string {
  return `${PREFIX}switch-${index}`;
}

/** Returns the alias of a port that vsmmu adds to `pcie.0`: `ua-vsmmu-root-port-10`. */
export function rootPortAlias(index: ControllerIndex): string {
  return `${PREFIX}root-port-${index}`;
}

/**
 * Returns the alias of a member of a shared IOMMU group that vsmmu adds with `<address type='unassigned'/>`:
 * `ua-vsmmu-group-0000-11-00-1`.
 */
export function groupMemberAlias(bdf: Bdf): string {
  return `${PREFIX}group-${bdf.replaceAll(/[:.]/g, '-')}`;
}

/** Returns the SMMU's address in the alias of an expander bus; undefined if vsmmu did not give the alias. */
export function addressOfAlias(alias: string | undefined): string | undefined {
  return /^ua-vsmmu-smmu-([0-9a-f]+)-\d+$/.exec(alias ?? '')?.[1];
}

/**
 * Returns the SMMU in the alias of an expander bus; undefined if vsmmu did not give the alias or this host does not have the
 * SMMU.
 */
export function smmuOfAlias(alias: string | undefined, smmus: readonly Smmu[]): string | undefined {
  const address = addressOfAlias(alias);
  return address === undefined ? undefined : smmus.find(({ name }) => shortAddress(name) === address)?.name;
}

/** Whether the XML of a domain contains an expander bus that vsmmu added. */
export function hasVsmmuExpanderBus(xml: string): boolean {
  return xml.includes(`${PREFIX}smmu-`);
}

/** Whether vsmmu gave this alias. */
export function isVsmmuAlias(alias: string | undefined): boolean {
  return alias?.startsWith(PREFIX) ?? false;
}
