import type { Location } from '../diagnostics.js';
import type { XmlElement } from '../xml/document.js';
import type { ControllerIndex } from './address.js';
import type { VsmmuAttribute, VsmmuValues } from './vsmmu-attributes.js';

/** An attribute as a `<driver>` writes it. */
export interface Spelling {
  readonly attribute: VsmmuAttribute;
  readonly name: string;
}

/** An `<iommu>` of the domain. */
export interface Iommu {
  readonly model: string;
  /** The root bus it translates for; undefined: the whole machine. */
  readonly pciBus: ControllerIndex | undefined;
  readonly values: VsmmuValues;
  /** The names that its attributes have in the document; one may be there in several dialects. */
  readonly spellings: readonly Spelling[];
  readonly location: Location;
  readonly element: XmlElement;
}

/** QEMU's limit of SMMUs in one `virt` machine: 64 platform-bus interrupts, four for each (11.1). */
export const MAX_VSMMUS = 16;

/** The SMMUv3s that the guest gets: of those for the whole machine libvirt (12.8) makes the one that is the first IOMMU. */
export function smmusOfGuest(iommus: readonly Iommu[]): readonly Iommu[] {
  return iommus.filter(({ model, pciBus }, i) => model === 'smmuv3' && (pciBus !== undefined || i === 0));
}
