import type { Smmu } from '../generated/topology.js';
import type { Bdf, ControllerIndex } from './address.js';

/**
 * User aliases of the controllers that vsmmu adds: libvirt keeps those that begin with `ua-` and takes letters, digits, `-` and `_` in
 * them (formatdomain, "Devices"); QEMU's command line then has them for ids.
 */
const PREFIX = 'ua-vsmmu-';

/** `smmu3.0x000000000c020000` → `c020000`. */
export function shortAddress(smmu: string): string {
  return smmu.replace(/^smmu3\.0x0*(?=.)/, '');
}

/** The alias of an expander bus: `ua-vsmmu-smmu-c020000-12`, of the SMMU's address and the controller index. */
export function expanderBusAlias(smmu: string, index: ControllerIndex): string {
  return `${PREFIX}smmu-${shortAddress(smmu)}-${index}`;
}

/** The alias of a port on an expander bus: `ua-vsmmu-port-13`. */
export function portAlias(index: ControllerIndex): string {
  return `${PREFIX}port-${index}`;
}

/** The alias of the upstream port of a switch on an expander bus: `ua-vsmmu-switch-14`. */
export function switchAlias(index: ControllerIndex): string {
  return `${PREFIX}switch-${index}`;
}

/** The alias of a port that vsmmu adds to `pcie.0`: `ua-vsmmu-root-port-10`. */
export function rootPortAlias(index: ControllerIndex): string {
  return `${PREFIX}root-port-${index}`;
}

/** The alias of a host device that is held for the guest, since it shares an IOMMU group: `ua-vsmmu-group-0000-11-00-1`. */
export function groupMemberAlias(bdf: Bdf): string {
  return `${PREFIX}group-${bdf.replaceAll(/[:.]/g, '-')}`;
}

/** The address of the SMMU that the alias of an expander bus names, if vsmmu gave it. */
export function addressOfAlias(alias: string | undefined): string | undefined {
  return /^ua-vsmmu-smmu-([0-9a-f]+)-\d+$/.exec(alias ?? '')?.[1];
}

/** The SMMU that the alias of an expander bus names, if vsmmu gave it and this host has that SMMU. */
export function smmuOfAlias(alias: string | undefined, smmus: readonly Smmu[]): string | undefined {
  const address = addressOfAlias(alias);
  return address === undefined ? undefined : smmus.find(({ name }) => shortAddress(name) === address)?.name;
}

/** Whether the text of a domain names an expander bus that vsmmu added. */
export function hasOwnExpanderBus(xml: string): boolean {
  return xml.includes(`${PREFIX}smmu-`);
}

/** Whether vsmmu gave a controller its alias. */
export function isOurAlias(alias: string | undefined): boolean {
  return alias?.startsWith(PREFIX) ?? false;
}
