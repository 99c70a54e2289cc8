/** Domains for the emulated host, without vSMMUs. */

/** Parts of a domain. */
export interface DomainOptions {
  readonly name: string;
  /** Host devices, `dddd:bb:ss.f`. */
  readonly hostdevs: readonly string[];
  /** More elements below `<devices>`. */
  readonly devices?: string;
  /** Changes the text, to make the domain invalid. */
  readonly mend?: (xml: string) => string;
}

/** The socket and the log of a guest's console, on the host. */
export const consoleSocket = (name: string): string => `/run/guests/${name}.sock`;
export const consoleLog = (name: string): string => `/run/guests/${name}.log`;

/** Returns the path of QEMU's log, which contains its trace: a line per vIOMMU, device and stream table entry (QEMU 11.1). */
export const qemuLog = (name: string): string => `/var/log/libvirt/qemu/${name}.log`;

/** A guest with a channel for its agent, a random number generator, an emulated NIC and the host devices. */
export function domainXml({ name, hostdevs, devices = '', mend = (xml) => xml }: DomainOptions): string {
  return mend(`<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${name}</name>
  <!-- what runs in it, and for whom -->
  <memory unit='MiB'>384</memory>
  <vcpu>1</vcpu>
  <os firmware='efi'>
    <type arch='aarch64' machine='virt'>hvm</type>
    <firmware>
      <feature enabled='no' name='enrolled-keys'/>
      <feature enabled='no' name='secure-boot'/>
    </firmware>
    <kernel>/share/Image</kernel>
    <initrd>/share/guest.cpio.gz</initrd>
    <cmdline>console=ttyAMA0 quiet panic=-1</cmdline>
  </os>
  <features>
    <acpi/>
    <gic version='3'/>
  </features>
  <cpu mode='host-passthrough'/>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-aarch64</emulator>
    <serial type='unix'>
      <source mode='bind' path='${consoleSocket(name)}'/>
      <log file='${consoleLog(name)}' append='off'/>
    </serial>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <interface type='user'>
      <model type='virtio'/>
    </interface>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
${hostdevs.map(hostdevXml).join('\n')}${devices}
  </devices>
  <qemu:commandline>
    <qemu:arg value='-trace'/>
    <qemu:arg value='smmuv3_accel*'/>
    <qemu:arg value='-trace'/>
    <qemu:arg value='iommufd_backend_alloc_v*'/>
  </qemu:commandline>
</domain>
`);
}

/** A host device as `virt-manager` writes it. */
export function hostdevXml(bdf: string): string {
  return `    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address ${addressOf(bdf)}/>
      </source>
    </hostdev>`;
}

/** A VF as a network interface of the domain, whose MAC address libvirt sets. */
export function interfaceXml(bdf: string, mac: string): string {
  return `    <interface type='hostdev' managed='yes'>
      <mac address='${mac}'/>
      <source>
        <address type='pci' ${addressOf(bdf)}/>
      </source>
    </interface>`;
}

/** The attributes of a host device's source address. */
export function addressOf(bdf: string): string {
  const [domain, bus, slot, fn] = bdf.split(/[:.]/);
  return `domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'`;
}
