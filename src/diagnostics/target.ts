import { define } from './diagnostic.js';

export const targetMachineMissing = define('target-machine-missing', {
  severity: 'error',
  message: (a: { qemu: string; machine: string }) =>
    `${a.qemu} no longer has the machine ${a.machine}: the domain will not start`,
  hint: "give the domain a machine that QEMU has (machine='virt' is the newest); its guest may notice other hardware",
  meaning: 'the QEMU that the domain is for does not have its machine type (any more), so the domain will not start',
  why: `libvirt writes the version of the machine into a domain when it is defined (virt-9.2). QEMU removes machine types after
    some years, so a domain that was never redefined may stop starting after an upgrade.`,
  remedy: `Change the machine while the guest is shut off. Guests for Arm rarely depend on it.`,
  example: `qemu-system-aarch64 -M help
virsh edit vm             # <type arch='aarch64' machine='virt'>hvm</type>`,
});
