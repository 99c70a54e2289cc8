import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** What an earlier run wrote down, and the way back. */
export const record = {
  'metadata-invalid': {
    why: `The record in the domain's <metadata> says what vsmmu changed. Here it does not fit its schema, or it would change
      something that vsmmu never changes: somebody edited it. rewrite does not replace it, since the new record would know
      less; where nothing has to change, the domain stays as it is.`,
    remedy: `Take a copy of the domain from before the edit. Without one, take out what carries vsmmu's aliases by force, then
      rewrite the domain again.`,
    example: `vsmmu revert -i --backup .orig --force vm.xml`,
  },
  'revert-nothing': {
    why: `The domain has no record of a rewrite and no expander bus with a vSMMU, so it is as it was.`,
    remedy: `Nothing.`,
    example: `vsmmu revert --diff vm.xml`,
  },
  'revert-unrecorded': {
    why: `Expander buses with a vSMMU are there, made by hand or with their record removed, so nobody knows where the devices were
      before.`,
    remedy: `Take them out all the same with --force: the devices lose their addresses, and libvirt finds them new ones on
      pcie.0.`,
    example: `vsmmu revert --force --diff vm.xml`,
  },
  'revert-incomplete': {
    why: `Something that vsmmu added is still in the result: a PCI controller with one of its aliases that the record does not
      list, or a NUMA cell that other cells follow, since libvirt takes no gap in their numbers.`,
    remedy: `Take it out by hand, or with --force where it is a controller.`,
    example: `vsmmu revert --force --diff vm.xml`,
  },
  'address-dropped': {
    why: `The place where the device was before is taken by another since, or was on a controller that is gone. Without an
      address libvirt gives it the first free place, so the guest may see it elsewhere than it was before.`,
    remedy: `Nothing, unless the guest has its address written down; then give it one yourself.`,
    example: `<address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>`,
  },
  'revert-port-left': {
    why: `libvirt fills gaps in the controllers' indexes with root ports of its own. Where controllers came after ours
      meanwhile, taking ours out would leave such gaps, so plain root ports stay in their place.`,
    remedy: `Nothing: they are what libvirt would add. Each takes one bus number.`,
    example: `<controller type='pci' index='12' model='pcie-root-port'/>`,
  },
  'relayout-moved': {
    why: `--relayout takes out the expander buses that are there and plans anew, those that were made by hand, too. Host devices get
      their place from the plan. A disk or another emulated device behind such an expander bus, where QEMU refuses it, gets a port
      of its own on pcie.0.`,
    remedy: `Nothing: revert puts it back with the expander bus.`,
    example: `vsmmu rewrite --relayout --diff vm.xml`,
  },
  'expander-bus-not-restored': {
    why: `--relayout took out expander buses that were made by hand, and wrote them down. Since then somebody gave the index or the
      place of one of their controllers to something else, so none of them can be put back; the devices behind them lose
      their addresses.`,
    remedy: `Take the expander buses from a copy of the domain of before, or rewrite the domain once more, which makes new ones.`,
    example: `vsmmu rewrite -i --backup .orig vm.xml`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
