import type { Location } from '../diagnostics.js';
import type { XmlElement } from '../xml/document.js';
import type { ControllerIndex } from './address.js';

/** The attributes of a vSMMU's `<driver>` that tell it what to be, in libvirt's order (12.7.0). */
export const VSMMU_ATTRIBUTES = ['accel', 'cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const;

/** One of them, by libvirt's name. */
export type VsmmuAttribute = (typeof VSMMU_ATTRIBUTES)[number];

/** How `ssidsize` is spelled: upstream's way (libvirt 12.7), and that of patched older ones, which KubeVirt pins. */
export type SsidsizeSpelling = 'ssidsize' | 'ssidSize';

/** The values of a vSMMU's `<driver>` as text; what is missing is QEMU's to choose. */
export type VsmmuValues = { readonly [attribute in VsmmuAttribute]?: string };

/** An `<iommu>` of the domain. */
export interface Iommu {
  readonly model: string;
  /** The root bus it translates for; undefined: the whole machine. */
  readonly pciBus: ControllerIndex | undefined;
  readonly values: VsmmuValues;
  /** The ways in which its `ssidsize` is written; empty where it has none. */
  readonly spellings: readonly SsidsizeSpelling[];
  readonly location: Location;
  readonly element: XmlElement;
}

/** QEMU's limit of SMMUs in one `virt` machine: 64 platform-bus interrupts, four for each (11.1). */
export const MAX_VSMMUS = 16;

/** The SMMUv3s that the guest gets: of those for the whole machine libvirt (12.8) makes the one that is the first IOMMU. */
export function smmusOfGuest(iommus: readonly Iommu[]): readonly Iommu[] {
  return iommus.filter(({ model, pciBus }, i) => model === 'smmuv3' && (pciBus !== undefined || i === 0));
}
