import { define, defineCases } from './diagnostic.js';

export const editorFailed = defineCases('editor-failed', {
  severity: 'error',
  messages: {
    recursive: 'vsmmu edit would start itself as the editor',
    missing: 'no editor is installed',
    /** `status`: `exit code 1` or `signal SIGTERM`. */
    ended: (a: { editor: string; status: string }) => `${a.editor} ended with ${a.status}`,
  },
  hint: 'name one in VSMMU_EDITOR',
  meaning: 'the editor that `vsmmu edit` opens is missing, or ended with an error; the file is unchanged',
  why: `vsmmu edit opens VSMMU_EDITOR, else VISUAL or EDITOR if they are not vsmmu edit itself, else sensible-editor or vi. An
    editor that ends with an exit code other than 0 cancels the change (:cq in vi).`,
  remedy: `Name your editor in VSMMU_EDITOR, or give --no-editor, which opens none.`,
  example: `VSMMU_EDITOR=nano EDITOR='vsmmu edit' virsh edit vm`,
});

export const kubevirtGateMissing = define('kubevirt-gate-missing', {
  severity: 'error',
  message: "the domain has no <iommufd enabled='yes' fdgroup='iommu'/>, so the pod has no /dev/iommu",
  hint: 'enable the feature gate IOMMUFD of KubeVirt',
  meaning: "the virtual machine's pod has no `/dev/iommu`, which an accelerated vSMMU needs",
  why: `virt-launcher's pod cannot open /dev/iommu itself. With the feature gate IOMMUFD, KubeVirt passes an open one to it, and
    writes <iommufd enabled='yes' fdgroup='iommu'/> into the domain (libvirt 12.2). Without it, QEMU refuses every device
    behind an accelerated vSMMU.`,
  remedy: `Enable the gate in the KubeVirt resource. The sidecar itself needs the gate Sidecar.`,
  example: `spec:
  configuration:
    developerConfiguration:
      featureGates: [Sidecar, IOMMUFD]`,
});

export const kubevirtRootComplex = define('kubevirt-root-complex', {
  severity: 'error',
  message: (a: { annotation: string }) =>
    `the annotation ${a.annotation} keeps every device on pcie.0, and so behind no vSMMU`,
  hint: 'remove the annotation, or the sidecar',
  meaning: '`kubevirt.io/placePCIDevicesOnRootComplex` and vSMMUs exclude each other',
  why: `With this annotation, KubeVirt gives every PCI device a slot of pcie.0 and no root port. A device behind a vSMMU needs an
    expander bus and a port of its own.`,
  remedy: `Remove the annotation from the virtual machine, or the sidecar.`,
  example: `kubectl annotate vm NAME kubevirt.io/placePCIDevicesOnRootComplex-`,
});

export const hookForeign = define('hook-foreign', {
  severity: 'error',
  message: 'another hook is already installed here; it is left unchanged',
  hint: 'call vsmmu-qemu-hook from it, or use libvirt 6.5 or newer, which runs several hooks',
  meaning: 'a hook that vsmmu did not install is at the path that its own hook would have',
  why: `libvirt before 6.5 runs one script, /etc/libvirt/hooks/qemu; newer versions also run every script in qemu.d. vsmmu did not
    install the script that is there, and never overwrites it.`,
  remedy: `Move the other hook away, or call one script from the other.`,
  example: `mv /etc/libvirt/hooks/qemu.d/vsmmu /root/ && vsmmu hook install`,
});

export const hookExposed = define('hook-exposed', {
  severity: 'warning',
  message: (a: { path: string }) => `libvirt runs the hook as root, and users other than root may change ${a.path}`,
  hint: 'install Node and vsmmu where only root may write, and install the hook from there',
  meaning: "a user other than root may change files that libvirt's hook runs as root",
  why: `libvirt runs its hook as root. The hook starts Node and vsmmu by the paths that they had when it was installed, and reads
    the policy. A user who owns one of these files or a folder above it, or may write to it, becomes root at the next start
    of a guest. The usual case is a Node from nvm in a home directory.`,
  remedy: `Use the distribution's Node, install vsmmu for the system, and run vsmmu hook install again.`,
  example: `vsmmu hook install`,
});

export const hookDiffers = define('hook-differs', {
  severity: 'warning',
  message: (a: { policy: string; wanted: string; installed: string | undefined }) =>
    `${a.policy} says "hook": "${a.wanted}", and the hook is installed with ${a.installed}`,
  hint: 'run vsmmu hook install again',
  meaning: 'the policy asks for another mode of the hook than the one that it was installed with',
  why: `vsmmu hook install fixes whether the hook warns or enforces, so that this does not depend on a program that cannot
    run or a file that cannot be read. All other keys of the policy are read at each start.`,
  remedy: `Install the hook again after a change of "hook" in the policy.`,
  example: `vsmmu hook install && vsmmu hook status`,
});
