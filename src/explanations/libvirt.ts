import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** A domain by its name, and the places where libvirt and virsh call. */
export const libvirt = {
  'domain-unknown': {
    why: `With --connect, the domain is looked up among all that the connection has, by its UUID and then by its name, whatever
      that looks like. None matches: it may be on another connection (qemu:///session is another than qemu:///system).`,
    remedy: `See what there is, and give the name as it stands there, or the UUID.`,
    example: `virsh --connect qemu:///system list --all --uuid --name`,
  },
  'libvirt-unreachable': {
    why: `libvirt is spoken to through virsh: that is not installed, could not connect, or had no answer within its time. A daemon
      that was there a moment ago, and is being restarted, is waited for.`,
    remedy: `See whether virsh itself gets an answer, as the same user.`,
    example: `virsh --connect qemu:///system version`,
  },
  'libvirt-refused': {
    why: `libvirt was asked and said no; the message has its own words. A domain is held against libvirt's schema before it is
      defined, so an element that this libvirt does not know is refused, too.`,
    remedy: `See what it complains of. Nothing was changed.`,
    example: `vsmmu rewrite vm.xml | virt-xml-validate - domain`,
  },
  'domain-transient': {
    why: `Such a domain was created and not defined (virsh create): it is gone when it ends, so there is no next start to change.`,
    remedy: `Define it first, or change the XML that it is created from.`,
    example: `vsmmu rewrite vm.xml > new.xml && virsh create new.xml`,
  },
  'domain-edited': {
    why: `Between the moment the domain was read and the one it was to be defined, somebody defined it otherwise. Theirs is kept.`,
    remedy: `Run it again: it starts from what they made.`,
    example: `vsmmu rewrite --connect qemu:///system --define vm`,
  },
  'define-declined': {
    why: `--define shows what it is about to define and asks. Anything but y or yes is a no.`,
    remedy: `Say y, or give --yes where nobody is to be asked.`,
    example: `vsmmu rewrite --connect qemu:///system --define --yes vm`,
  },
  'editor-failed': {
    why: `vsmmu edit opens VSMMU_EDITOR, or else VISUAL or EDITOR where they are not vsmmu edit itself, or else sensible-editor or vi.
      An editor that ends with anything but 0 says that nothing is to change (:cq in vi).`,
    remedy: `Name your editor in VSMMU_EDITOR; with --no-editor none is opened.`,
    example: `VSMMU_EDITOR=nano EDITOR='vsmmu edit' virsh edit vm`,
  },
  'vmi-invalid': {
    why: `KubeVirt's sidecar-shim gives onDefineDomain the virtual machine as JSON (--vmi) and its domain as XML (--domain). The
      JSON is cut off, or something else, or an annotation in it is no text.`,
    remedy: `See what the shim calls it with. The machine is not started.`,
    example: `onDefineDomain --vmi '{"metadata": {"name": "vm", "annotations": {}}}' --domain "$(cat domain.xml)"`,
  },
  'kubevirt-gate-missing': {
    why: `virt-launcher's pod cannot open /dev/iommu itself. With the feature gate IOMMUFD, KubeVirt passes it an open one, and
      writes <iommufd enabled='yes' fdgroup='iommu'/> into the domain (libvirt 12.2). Without it, QEMU refuses every device
      behind an accelerated vSMMU.`,
    remedy: `Enable the gate in the KubeVirt resource. The sidecar itself needs the gate Sidecar.`,
    example: `spec:
  configuration:
    developerConfiguration:
      featureGates: [Sidecar, IOMMUFD]`,
  },
  'kubevirt-root-complex': {
    why: `KubeVirt then gives every PCI device a slot of pcie.0 and no root port. A device behind a vSMMU needs an expander bus
      and a port of its own.`,
    remedy: `Remove the annotation from the virtual machine, or the sidecar.`,
    example: `kubectl annotate vm NAME kubevirt.io/placePCIDevicesOnRootComplex-`,
  },
  'hook-foreign': {
    why: `libvirt before 6.5 calls one script, /etc/libvirt/hooks/qemu, and newer ones every script of qemu.d. What is there was not
      put there by vsmmu, and is never written over.`,
    remedy: `Move it out of the way, or call the one from the other.`,
    example: `mv /etc/libvirt/hooks/qemu.d/vsmmu /root/ && vsmmu hook install`,
  },
  'hook-exposed': {
    why: `libvirt runs its hook as root. The hook starts Node and vsmmu by the paths that they had when it was installed, and reads
      the policy. A user who owns one of these files or a folder above it, or may write to it, becomes root at the next start
      of a guest. The usual case is a Node from nvm in a home directory.`,
    remedy: `Use the distribution's Node, install vsmmu for the system, and run its hook install again.`,
    example: `vsmmu hook install`,
  },
  'hook-differs': {
    why: `Installing the hook fixes whether it warns or enforces: it must not depend on a program that may not run, or on a file
      that cannot be read. All other keys of the policy are read at each start.`,
    remedy: `Install the hook again after a change of "hook" in the policy.`,
    example: `vsmmu hook install && vsmmu hook status`,
  },
  'domain-running': {
    why: `A definition is for the next start. The guest that runs keeps its devices where they are; a reboot from within is not
      a start.`,
    remedy: `Shut it down and start it, when that suits.`,
    example: `virsh shutdown vm && virsh start vm`,
  },
  'domain-saved': {
    why: `The guest's memory is on the disk, with the devices that it had. libvirt restores a managed save with those at the next
      start, whatever is defined, and a snapshot brings the definition of its time back.`,
    remedy: `Start it and shut it down; or give up what was saved.`,
    example: `virsh managedsave-remove vm`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
