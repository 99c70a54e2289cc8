import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** What may run out, and what a vSMMU may be given. */
export const limits = {
  'bus-numbers-exhausted': {
    why: `A guest has 256 PCI bus numbers. Every port below pcie.0 takes one, every expander bus one for itself and one for each of
      its ports, spare ones counted. Where two ranges meet, the guest's kernel panics while it looks for its devices, so
      such a domain is never written. The message says who takes how many.`,
    remedy: `Do what the message says saves most: fewer spare ports, a smaller --bus-window, several functions in one slot,
      --grouping smmu. Ports on pcie.0 that nothing is on take one each, too.`,
    example: `vsmmu plan --spare-ports 0 --bus-window 0 vm.xml`,
  },
  'bus-window-too-small': {
    why: `From its busNr on an expander bus has the numbers up to the next expander bus's: it needs its own and one for each port. With
      fewer, neither libvirt nor QEMU complains, and the guest's kernel panics.`,
    remedy: `Use --relayout, which numbers all expander buses again. In a domain written by hand, choose
      a lower busNr.`,
    example: `<target busNr='251'/>   <!-- 251, and 252 to 254 for three ports -->`,
  },
  'controller-indexes-exhausted': {
    why: `libvirt numbers PCI controllers from 0 to 255, and each expander bus and each port is one. Where numbers are left out it
      adds root ports, so gaps cost as much.`,
    remedy: `Remove ports that nothing is on, or put several functions of a device in one slot.`,
    example: `grep -c "type='pci' index=" vm.xml`,
  },
  'slots-exhausted': {
    why: `A PCI bus has 32 slots, and slot 0 of pcie.0 is the host bridge's. Every expander bus takes one there, and so does
      every root port that has no function of another's slot.`,
    remedy: `Let root ports share slots as functions of one (multifunction='on'), eight in each, as libvirt does by itself.`,
    example: `<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0' multifunction='on'/>`,
  },
  'vsmmus-exhausted': {
    why: `QEMU's virt machine has 64 interrupts for such devices, and an SMMU takes four, so there is room for 16; one for
      pcie.0 counts.`,
    remedy: `Use --grouping smmu where each device has an expander bus, and --expander-buses used; or put some devices on the bypass list.`,
    example: `vsmmu plan --grouping smmu --expander-buses used vm.xml`,
  },
  'spare-port-exposed': {
    why: `libvirt gives a device without an <address> the free port with the lowest index, ours included. An emulated device
      on a spare port behind an accelerated vSMMU keeps the domain from starting.`,
    remedy: `Define the domain first, so that each device has an address, and rewrite what libvirt then prints.`,
    example: `virsh define vm.xml
virsh dumpxml --inactive --security-info vm | vsmmu rewrite --spare-ports 2 > new.xml`,
  },
  'spare-port-unguarded': {
    why: `libvirt gives the next device that is attached without an <address>, such as a virtio disk, the free port with the
      lowest index. If that port is behind a vSMMU, QEMU does not start the domain until rewrite has moved the device to
      pcie.0. As many free ports on pcie.0 with lower indexes prevent this.`,
    remedy: `Plan from scratch: --relayout adds these ports. Or give such a device an <address> on pcie.0 yourself.`,
    example: `vsmmu rewrite --relayout --spare-ports 2 vm.xml`,
  },
  'vsmmu-values-missing': {
    why: `QEMU reads what a vSMMU can do off the host, by a device that is behind it when the domain starts. Where none is,
      it says "'auto' properties requires at least one cold-plugged VFIO device" and ends.`,
    remedy: `Give all five values, as the host's SMMU has them, or leave out the expander bus until a device is behind it.`,
    example: `vsmmu rewrite --expander-buses all --ats on --ril off --ssidsize 20 --oas 48 --cmdqv off vm.xml`,
  },
  'vsmmu-value-invalid': {
    why: `libvirt takes any number for ssidsize and oas, and QEMU refuses all but 0 to 20 and 44 or 48 when the domain starts.`,
    remedy: `Give a value that there is, or remove the attribute, so that QEMU takes the host's.`,
    example: `<driver pciBus='10' accel='on' ssidsize='20' oas='48'/>`,
  },
  'vsmmu-value-beyond-host': {
    why: `QEMU holds what a vSMMU is told to be against the registers of the SMMU behind it, and does not start where that has
      less: "Host SMMUv3 doesn't support Address Translation Services". sysfs does not show these registers; what is
      known of them is what the kernel logged when it found the SMMU, or what the snapshot given with --topology says.`,
    remedy: `Give a value that the SMMU has, or auto, so that QEMU takes the SMMU's own.`,
    example: `vsmmu topology
vsmmu rewrite --oas 44 --ats auto vm.xml`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
