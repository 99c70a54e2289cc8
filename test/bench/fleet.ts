/** Domains for benchmarks, as libvirt prints them: 2 to 11 KB, with one to eight host devices of `samples/hosts/host-a.json`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Devices that can be behind a vSMMU: bus, slot, function. */
const DEVICES = ['12 00 0', '31 10 0', '31 10 2', '31 10 4', '53 00 0', '54 00 0', '72 01 0', '91 00 0', '92 00 0'];

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** Writes `count` domains into folders of a thousand each. */
export function writeFleet(folder: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const thousand = join(folder, String(Math.floor(i / 1000)).padStart(3, '0'));
    if (i % 1000 === 0) mkdirSync(thousand, { recursive: true });
    writeFileSync(join(thousand, `vm-${String(i).padStart(6, '0')}.xml`), domain(i, 'kvm'));
  }
}

/** Returns domain number `i`. */
export function domain(i: number, type: 'kvm' | 'qemu'): string {
  const disks = Array.from({ length: i % 11 }, (_, n) => disk(i, n));
  const hostdevs = Array.from({ length: 1 + (i % 8) }, (_, n) => hostdev(DEVICES[(i + n) % DEVICES.length] ?? ''));
  const devices = [...disks, network(i), ...hostdevs, "    <memballoon model='virtio'>\n    </memballoon>\n"];
  const placed = devices.map((xml, n) => xml.replace(/ {4}<\/\w+>\n$/, (end) => `${address(n + 1, 0)}${end}`));
  const ports = devices.map((_, n) => port(n + 1));
  return `<domain type='${type}'>
  <name>vm-${i}</name>
  <uuid>6f0f2a52-1b0c-4c7e-9d7e-${i.toString(16).padStart(12, '0')}</uuid>
  <memory unit='KiB'>4194304</memory>
  <currentMemory unit='KiB'>4194304</currentMemory>
  <vcpu placement='static'>4</vcpu>
  <os firmware='efi'>
    <type arch='aarch64' machine='virt'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
    <gic version='3'/>
  </features>
  <cpu mode='${type === 'kvm' ? 'host-passthrough' : 'maximum'}' check='none'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-aarch64</emulator>
${placed.slice(0, disks.length).join('')}    <controller type='usb' index='0' model='none'/>
    <controller type='pci' index='0' model='pcie-root'/>
${ports.join('')}${placed.slice(disks.length, -1).join('')}    <serial type='pty'>
      <target type='system-serial' port='0'>
        <model name='pl011'/>
      </target>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
    <audio id='1' type='none'/>
${placed.at(-1)}  </devices>
</domain>
`;
}

function address(bus: number, slot: number, rest = ''): string {
  return `      <address type='pci' domain='0x0000' bus='0x${hex(bus)}' slot='0x${hex(slot)}' function='0x0'${rest}/>\n`;
}

function port(index: number): string {
  const [slot, fn] = [1 + Math.floor((index - 1) / 8), (index - 1) % 8];
  const multifunction = fn === 0 ? " multifunction='on'" : '';
  return `    <controller type='pci' index='${index}' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='${index}' port='0x${hex(8 * slot + fn)}'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x${hex(slot)}' function='0x${fn}'${multifunction}/>
    </controller>
`;
}

function disk(i: number, n: number): string {
  return `    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/var/lib/libvirt/images/vm-${i}-${n}.qcow2'/>
      <target dev='vd${String.fromCharCode(97 + n)}' bus='virtio'/>
    </disk>
`;
}

function network(i: number): string {
  return `    <interface type='network'>
      <mac address='52:54:00:${hex((i >> 16) & 255)}:${hex((i >> 8) & 255)}:${hex(i & 255)}'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
`;
}

function hostdev(device: string): string {
  const [bus, slot, fn] = device.split(' ');
  return `    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/>
      </source>
    </hostdev>
`;
}
