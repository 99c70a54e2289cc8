/** Files of libvirt's that differ from Debian's in the lab's root. */

/**
 * A libvirtd in a chroot, as root, without cgroups, security drivers or namespaces of its own
 * (each setting was needed with libvirt 12.8 for a domain to start there).
 */
const qemuConf = `namespaces = []
security_driver = "none"
cgroup_controllers = []
user = "root"
group = "root"
remember_owner = 0
stdio_handler = "file"
`;

/** Nobody but root is in the lab, and polkit is not. */
const libvirtdConf = `auth_unix_ro = "none"
auth_unix_rw = "none"
`;

/** Path in the root → content. */
export const configFiles: Readonly<Record<string, string>> = {
  '/etc/libvirt/qemu.conf': qemuConf,
  '/etc/libvirt/libvirtd.conf': libvirtdConf,
};
