/** libvirt's configuration files in the lab's root that differ from Debian's. */

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

/** The lab has only the user root, and no polkit. */
const libvirtdConf = `auth_unix_ro = "none"
auth_unix_rw = "none"
`;

/** Content by path in the root. */
export const configFiles: Readonly<Record<string, string>> = {
  '/etc/libvirt/qemu.conf': qemuConf,
  '/etc/libvirt/libvirtd.conf': libvirtdConf,
};
