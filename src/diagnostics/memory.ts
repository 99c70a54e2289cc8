import { define, defineCases } from './diagnostic.js';

export const pcihole64Off = defineCases('pcihole64-off', {
  severity: 'error',
  messages: {
    needed: (a: { needed: string }) =>
      `pcihole64 is switched off, and the guest's devices need ${a.needed} of 64-bit MMIO space`,
    machine: 'pcihole64 is switched off, and the virt machine does not start without it',
  },
  hint: 'remove the <pcihole64>',
  meaning: '`<pcihole64>` is 0, which switches off the space that devices with 64-bit prefetchable BARs need',
  why: `<pcihole64> sets how much address space the guest's firmware has for 64-bit BARs. 0 switches it off, and the large BARs of
    the devices get no address.`,
  remedy: `Remove it; vsmmu rewrite then sets what the devices need.`,
  example: `<controller type='pci' index='0' model='pcie-root'>
  <pcihole64 unit='KiB'>0</pcihole64>   <!-- remove this -->
</controller>`,
});

export const pcihole64Exhausted = defineCases('pcihole64-exhausted', {
  severity: 'error',
  messages: {
    present: (a: { size: string; bits: number; limit: string }) =>
      `pcihole64 is ${a.size}, but the limit with ${a.bits}-bit addresses is ${a.limit}`,
    needed: (a: { size: string; bits: number; limit: string }) =>
      `the guest's devices need ${a.size} of 64-bit MMIO space, but the limit with ${a.bits}-bit addresses is ${a.limit}`,
  },
  hint: 'give the domain fewer such devices, or --oas 48 if the host has 48-bit addresses',
  meaning: "the devices' BARs do not fit into the guest's address space",
  why: `The sum of the BARs, rounded up to a power of two, must fit below the end of the guest's address space: 44 bits are
    16 TiB, so there are 8 TiB for BARs.`,
  remedy: `Give the domain fewer such devices, or 48 bits if the host's SMMUs and CPUs have them.`,
  example: `vsmmu rewrite --oas 48 vm.xml`,
});

export const pcihole64Invalid = define('pcihole64-invalid', {
  severity: 'error',
  message: (a: { size: string }) => `pcihole64 is ${a.size}, not a power of two of at least 512 GiB`,
  hint: "remove it, or give it 1, 2, 4 … in unit='TiB'",
  meaning: '`<pcihole64>` is not a power of two, or less than 512 GiB; QEMU refuses both',
  why: `For the virt machine libvirt turns it into highmem-mmio-size, which QEMU (11.1) accepts only as a power of two of at least
    512 GiB. libvirt accepts any number, and the domain does not start.`,
  remedy: `Remove it: the default is 512 GiB. Only devices with very large BARs need more, and vsmmu rewrite sets what they need.`,
  example: `<controller type='pci' index='0' model='pcie-root'>
  <pcihole64 unit='KiB'>1073741824</pcihole64>
</controller>`,
});

export const pcihole64TooSmall = define('pcihole64-too-small', {
  severity: 'error',
  message: (a: { needed: string; size: string }) =>
    `the guest's devices need ${a.needed} of 64-bit MMIO space, but pcihole64 is ${a.size}`,
  hint: 'give <pcihole64> the next power of two, as `vsmmu rewrite` does',
  meaning:
    "the space for 64-bit BARs is too small for the guest's devices, or (a warning) smaller than their platform requires",
  why: `Firmware gives each port one window for the BARs behind it. If they do not fit, it leaves some out without a message: the
    guest sees the device, and its driver finds no memory to map. NVIDIA's Grace platforms ask for more than the BARs
    themselves take; less than that is only a warning.`,
  remedy: `Let vsmmu rewrite increase it, or set the size in the message.`,
  example: `<controller type='pci' index='0' model='pcie-root'>
  <pcihole64 unit='KiB'>4294967296</pcihole64>
</controller>`,
});
