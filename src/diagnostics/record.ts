import { define, defineCases } from './diagnostic.js';

export const metadataInvalid = defineCases('metadata-invalid', {
  severity: 'warning',
  messages: {
    two: '<metadata> has two records of vsmmu',
    broken: (a: { path: string; constraint: string }) =>
      `the record in <metadata> is broken: ${a.path === '' ? '/' : a.path} ${a.constraint}`,
    unmanagedElements: 'the record in <metadata> would add elements that vsmmu never removes; they are ignored',
    /** `why` is the reason as a clause. */
    unusable: (a: { why: string }) => `the record in <metadata> is not used: ${a.why}`,
    formerUnusable: (a: { why: string }) => `the former text in the record in <metadata> is not used: ${a.why}`,
  },
  hint: "remove the elements with vsmmu's aliases (vsmmu revert --force), then rewrite the domain again",
  meaning:
    "the record of vsmmu in the domain's `<metadata>` is broken, or would change what vsmmu does not manage; it is not used (an error if the command needs it)",
  why: `The record in the domain's <metadata> lists what vsmmu changed. Here it does not fit its schema, or it would change
    something that vsmmu never changes: it was edited. rewrite does not replace the record, because a new one would lack its
    contents. It leaves a domain that needs no change as it is.`,
  remedy: `Restore a copy of the domain from before the edit. Without one, remove the elements with vsmmu's aliases
    (--force), then rewrite the domain again.`,
  example: `vsmmu revert -i --backup .orig --force vm.xml`,
});

/** Returns the reason for `metadataInvalid.unusable` if the record would change an element that vsmmu does not manage. */
export const unmanagedChange = (element: string): string => `it would change <${element}>, which vsmmu does not manage`;

export const metadataStale = defineCases('metadata-stale', {
  severity: 'note',
  messages: {
    gone: (a: { what: string }) => `${a.what} is no longer there`,
    edited: (a: { property: string; what: string }) => `${a.property} of ${a.what} was changed since`,
    removed: (a: { what: string }) => `${a.what}, which vsmmu added, is no longer there`,
  },
  meaning:
    "something that vsmmu recorded in the domain's `<metadata>` was changed since; revert keeps the newer change",
  why: `rewrite records what it changed, element by element, so that revert can undo exactly that. If such an element was changed
    or removed since, revert keeps the newer change.`,
  remedy: `Nothing needs to be done if that is intended.`,
  example: `vsmmu revert --diff vm.xml`,
});

export const revertNothing = define('revert-nothing', {
  severity: 'note',
  message: 'the domain has nothing that vsmmu added',
  meaning: 'the domain has nothing that vsmmu added, and is left unchanged',
  why: `The domain has no record of a rewrite and no expander bus with a vSMMU.`,
  remedy: `Nothing needs to be done.`,
  example: `vsmmu revert --diff vm.xml`,
});

export const revertUnrecorded = define('revert-unrecorded', {
  severity: 'error',
  message: (a: { why: string | undefined }) =>
    `the domain has expander buses for vSMMUs, and ${a.why ?? 'no record of what was there before'}`,
  hint: 'give --force to remove them anyway; libvirt then chooses new addresses for the devices behind them',
  meaning: 'the domain has expander buses for vSMMUs, and no record of what was there before',
  why: `The domain has expander buses with a vSMMU. They were made by hand, or their record was removed, so the former addresses of
    the devices are not known.`,
  remedy: `Remove them with --force: the devices lose their addresses, and libvirt puts them on pcie.0.`,
  example: `vsmmu revert --force --diff vm.xml`,
});

export const revertIncomplete = defineCases('revert-incomplete', {
  severity: 'error',
  messages: {
    controllers: (a: { indexes: string }) =>
      `left in the domain: PCI controllers ${a.indexes}, which the record does not list`,
    cells: (a: { cells: string }) => `left in the domain: NUMA cells ${a.cells}, because other cells follow them`,
  },
  hint: 'remove them with vsmmu revert --force, or by hand',
  meaning:
    '`revert` leaves something that vsmmu added in the domain (named in the message). The result is written anyway',
  why: `Something that vsmmu added is still in the result: a PCI controller with one of its aliases that the record does not list,
    or a NUMA cell that other cells follow, because libvirt accepts no gap in their numbers.`,
  remedy: `Remove it by hand, or with --force if it is a controller.`,
  example: `vsmmu revert --force --diff vm.xml`,
});

export const addressDropped = define('address-dropped', {
  severity: 'warning',
  message: (a: { element: string; address: string | undefined }) =>
    `<${a.element}> loses its address${a.address === undefined ? '' : ` ${a.address}`}: libvirt chooses a new one`,
  meaning: 'a device loses its guest address, and libvirt chooses a new one when the domain is defined',
  why: `The former address of the device is now used by another device, or was on a controller that no longer exists. Without an
    address, libvirt gives it the first free one, so the guest may see it elsewhere than before.`,
  remedy: `Nothing needs to be done, unless the guest refers to the address; then set one yourself.`,
  example: `<address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>`,
});

export const revertPortLeft = define('revert-port-left', {
  severity: 'note',
  message: (a: { indexes: readonly number[] }) =>
    `plain root ports take the indexes ${a.indexes.join(', ')}, because controllers with higher indexes stay`,
  meaning: 'plain root ports replace removed controllers, because other controllers have higher indexes',
  why: `libvirt fills gaps in the controller indexes with root ports. If controllers were added after those of vsmmu, removing these
    would leave such gaps, so plain root ports replace them.`,
  remedy: `Nothing needs to be done: they are what libvirt would add. Each takes one bus number.`,
  example: `<controller type='pci' index='12' model='pcie-root-port'/>`,
});

export const relayoutMoved = define('relayout-moved', {
  severity: 'note',
  message: (a: { element: string; from: string | undefined; to: string }) =>
    `<${a.element}> moves${a.from === undefined ? '' : ` from ${a.from}`} to ${a.to}, because its expander bus is removed`,
  meaning: '`--relayout` moves an emulated device from an expander bus that was made by hand to a port of `pcie.0`',
  why: `--relayout removes all expander buses, also those that were made by hand, and plans from scratch. The plan places host
    devices. A disk or another emulated device behind such an expander bus, where QEMU refuses it, gets a port of its own on
    pcie.0.`,
  remedy: `Nothing needs to be done: revert moves it back to its expander bus.`,
  example: `vsmmu rewrite --relayout --diff vm.xml`,
});

export const expanderBusNotRestored = define('expander-bus-not-restored', {
  severity: 'warning',
  message: (a: { indexes: string }) =>
    `the expander buses and ports made by hand (controllers ${a.indexes}) are not restored: another controller or device uses one of their indexes or addresses`,
  hint: 'take the expander buses from the former definition, or run vsmmu rewrite again',
  meaning:
    '`revert` does not restore an expander bus made by hand that `--relayout` removed: its index or address is in use',
  why: `--relayout removed expander buses that were made by hand, and recorded them. Since then, the index or the address of
    one of their controllers was given to another controller or device, so none of them can be restored; the devices behind
    them lose their addresses.`,
  remedy: `Take the expander buses from a former copy of the domain, or rewrite the domain again, which makes new ones.`,
  example: `vsmmu rewrite -i --backup .orig vm.xml`,
});
