import type { Location } from '../diagnostics/diagnostic.js';
import type { XmlElement } from '../xml/document.js';
import type { BusNumber, ControllerIndex, GuestAddress } from './address.js';
import type { CellId } from './numa.js';

/** A `<controller type='pci'>`. Guest addresses refer to its bus by its index. */
export interface PciController {
  readonly index: ControllerIndex;
  /** Its `model`: `pcie-root`, `pcie-root-port`, `pcie-expander-bus` … */
  readonly model: string;
  /** Its own address; undefined for `pcie-root`, and if libvirt has not assigned one yet. */
  readonly address: GuestAddress | undefined;
  readonly multifunction: boolean;
  /** `busNr` of an expander bus. */
  readonly busNr: BusNumber | undefined;
  /** `chassis` of a port, 0–255. */
  readonly chassis: number | undefined;
  /** The NUMA cell of an expander bus. */
  readonly node: CellId | undefined;
  readonly alias: string | undefined;
  readonly location: Location;
  readonly element: XmlElement;
}

/** The models that create a root bus of their own besides `pcie.0` (libvirt 12.8: formatdomain, "PCI controllers"). */
export const EXPANDER_MODELS: ReadonlySet<string> = new Set(['pcie-expander-bus', 'pci-expander-bus']);

/** The model of a domain's first root bus, which has index 0 and no address. */
export const ROOT_MODELS: ReadonlySet<string> = new Set(['pcie-root', 'pci-root']);

/** The highest controller index that libvirt accepts (an address has one byte for it). */
export const MAX_CONTROLLER_INDEX = 255;

/** The highest `busNr` of an expander bus; the lowest is 1 (libvirt 12.8, QEMU 11.1). */
export const MAX_BUS_NR = 254;

/** The highest slot of a bus. Slot 0 of `pcie.0` is used by the host bridge. */
export const MAX_SLOT = 31;
