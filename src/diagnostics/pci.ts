import { define } from './diagnostic.js';

export const chassisDuplicate = define('chassis-duplicate', {
  severity: 'error',
  message: (a: { first: number; second: number; chassis: number }) =>
    `the ports ${a.first} and ${a.second} have the same chassis, ${a.chassis}`,
  hint: 'give one of them a chassis of its own; the default is its index',
  meaning: 'two ports have the same chassis; QEMU refuses the second',
  why: `Hot-plug identifies ports by the number of their chassis, and QEMU (11.1) ends with "Can't add chassis slot, error
    -16" on the second port with the same number. libvirt accepts any number, and gives a port without one its index, even
    if another port has that number.`,
  remedy: `Remove <target> from both ports, and define the domain: libvirt numbers them by their indexes.`,
  example: `<target chassis='9' port='0x8'/>`,
});

export const slotInvalid = define('slot-invalid', {
  severity: 'error',
  message: (a: { address: string; model: string }) =>
    `guest address ${a.address} is invalid: a ${a.model} has slot 0 only`,
  hint: 'remove its <address>, and define the domain: libvirt gives it a free one',
  meaning: 'a device is in a slot that its bus does not have: a port has slot 0 only',
  why: `A root port, or the downstream port of a switch, is one end of a PCI Express link, with one device at the other end: slot 0.
    libvirt refuses to define anything else.`,
  remedy: `Give the device slot 0. Another device that shares the port needs another function of that slot.`,
  example: `<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x1'/>`,
});

export const slotWithoutFunctionZero = define('slot-without-function-zero', {
  severity: 'error',
  message: (a: { functionZero: string; unseen: readonly string[] }) =>
    `nothing is at ${a.functionZero}, so the guest does not see ${a.unseen.join(', ')}`,
  hint: 'give one of them function 0',
  meaning: 'a slot has no function 0, so the guest does not look for its other functions',
  why: `A scan of a PCI bus reads function 0 of each slot first, and skips the slot if there is no response. libvirt and
    QEMU accept a device at another function alone, but no guest sees it.`,
  remedy: `Make one of them function 0.`,
  example: `<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>`,
});

export const multifunctionOff = define('multifunction-off', {
  severity: 'error',
  message: (a: { address: string; others: readonly string[] }) =>
    `${a.address} has multifunction='off', and ${a.others.join(', ')} share its slot`,
  hint: "remove multifunction='off'",
  meaning: "function 0 of a slot has `multifunction='off'`, and other functions share the slot; QEMU refuses them",
  why: `libvirt sets multifunction on function 0 when other functions share its slot, unless the domain says off. QEMU (11.1) then
    refuses the other functions: "PCI: single function device can't be populated in function 1.1".`,
  remedy: `Remove the attribute, or write multifunction='on'.`,
  example: `<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0' multifunction='on'/>`,
});

export const controllerIndexOrder = define('controller-index-order', {
  severity: 'error',
  message: (a: { model: string; index: number; parentModel: string; parentIndex: number }) =>
    `${a.model} ${a.index} is on ${a.parentModel} ${a.parentIndex}, which has a higher index`,
  hint: 'give it a higher index',
  meaning: 'a PCI controller has a lower index than the controller it is on; QEMU does not find its bus',
  why: `libvirt (12.8) passes PCI controllers to QEMU in the order of their indexes. A controller that comes before the one it is on
    fails: "Bus 'pci.9' not found".`,
  remedy: `Give the expander bus, or the upper port, the lower index.`,
  example: `<controller type='pci' index='8' model='pcie-expander-bus'/>
<controller type='pci' index='9' model='pcie-root-port'>
  <address type='pci' domain='0x0000' bus='0x08' slot='0x00' function='0x0'/>
</controller>`,
});

export const deviceOnExpanderBus = define('device-on-expander-bus', {
  severity: 'error',
  message: (a: { device: string; expanderBus: number }) =>
    `${a.device} is directly on expander bus ${a.expanderBus}, not on one of its ports`,
  hint: 'put a pcie-root-port on the expander bus, and the device on that port',
  meaning: 'a device is directly on an expander bus; libvirt accepts only ports there',
  why: `An expander bus is a root bus of PCI Express, and libvirt accepts only root ports and DMI bridges on it: "cannot be plugged
    into the PCI controller with index='8'".`,
  remedy: `Add a pcie-root-port on the expander bus, and put the device on that port, as vsmmu rewrite does.`,
  example: `<controller type='pci' index='9' model='pcie-root-port'>
  <address type='pci' domain='0x0000' bus='0x08' slot='0x00' function='0x0'/>
</controller>`,
});

export const expanderBusMisplaced = define('expander-bus-misplaced', {
  severity: 'error',
  message: (a: { expanderBus: number; controller: number }) =>
    `expander bus ${a.expanderBus} is on PCI controller ${a.controller}, not on pcie.0`,
  hint: 'give it a slot of pcie.0',
  meaning: 'an expander bus is not on `pcie.0`; libvirt refuses it',
  why: `QEMU attaches a pxb-pcie to pcie.0 only, and libvirt refuses every other controller: "It requires a controller that
    accepts a pcie-expander-bus".`,
  remedy: `Give it a free slot of pcie.0, or remove its <address>: libvirt then chooses one.`,
  example: `<controller type='pci' index='8' model='pcie-expander-bus'>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
</controller>`,
});

export const expanderBusMisnamed = define('expander-bus-misnamed', {
  severity: 'warning',
  message: (a: { alias: string; named: string; smmu: string }) =>
    `the alias ${a.alias} names ${a.named}, but the devices of the expander bus are behind ${a.smmu}`,
  hint: 'rewrite the domain, which moves them to an expander bus of their own SMMU',
  meaning: 'the alias of an expander bus names another SMMU than the one of its devices',
  why: `The alias of an expander bus that vsmmu made contains the address of its SMMU, and vsmmu relies on it: rewrite moves
    a device of another SMMU away, and attach adds a device of that SMMU. A device of another SMMU was added since, or the
    domain comes from another host.`,
  remedy: `Rewrite the domain for this host.`,
  example: `vsmmu rewrite --relayout vm.xml`,
});
