import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** Each device and its IOMMU group. */
export const devices = {
  'expander-bus-full': {
    why: `Every port takes a bus number, and those of an expander bus are in one piece: from its busNr to the next expander bus.
      Where none is left, the device gets a further expander bus with a vSMMU for the same SMMU, which works as well. The
      expander buses that are there keep their numbers, so that the guest finds its devices where they were.`,
    remedy: `Nothing needs to be done. With --relayout all devices of an SMMU are behind one expander bus again.`,
    example: `vsmmu rewrite --relayout --diff vm.xml`,
  },
  'spare-ports-left-out': {
    why: `Every port takes a bus number and a slot, and the expander bus has none left between its own numbers and the next expander
      bus.`,
    remedy: `Use --relayout where the devices may get other addresses in the guest.`,
    example: `vsmmu rewrite --relayout --spare-ports 1 --diff vm.xml`,
  },
  'switch-not-mirrored': {
    why: `With --mirror-switches, devices that are below one PCIe switch of the host get a switch in the guest, so that it can
      see that they are near each other. Some did not: a device that is in place already is not moved for one that
      joins it, an expander bus may have no bus number left for another port, and a switch has 32.`,
    remedy: `Plan all expander buses anew, if the devices in place may get other addresses in the guest.`,
    example: `vsmmu rewrite -i --relayout --mirror-switches vm.xml`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
