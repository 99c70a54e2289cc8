/** Changes that the lab needs in a domain, on XML as libvirt prints it (`dumpxml`: single quotes, one element per line). */
import { guestFolder } from './guest-files.js';

/** An existing file of the lab, as content of disks that no guest reads. */
const anyFile = `${guestFolder}/vmlinuz`;

/** Changes the type to `qemu` and the CPU to one that QEMU can emulate, because the lab has no KVM for Arm. */
export function asTcg(xml: string): string {
  return xml
    .replace(/(<domain\b[^>]*\btype=)(['"])(?:kvm|hvf)\2/, '$1$2qemu$2')
    .replace(
      /<cpu\b[^>]*\bmode=(['"])(?:host-passthrough|host-model|maximum)\1[^>/]*(?:\/>|>([\s\S]*?)<\/cpu>)/,
      (_all, _quote, inner) => {
        const numa = /<numa>[\s\S]*?<\/numa>/.exec(String(inner ?? ''))?.[0] ?? '';
        return `<cpu mode='custom' match='exact'><model>cortex-a72</model>${numa}</cpu>`;
      },
    );
}

/**
 * Returns a domain that libvirt can turn into a command line here. An interface that is a host device fails in `domxml-to-native`
 * (libvirt 12.8: it makes a tap device for every interface first), so it becomes a hostdev. Memory is bound
 * to no node of the host, which may have fewer; the guest does not see that.
 */
export function forCommandLine(xml: string): string {
  return xml
    .replace(/<numatune>[\s\S]*?<\/numatune>/, '')
    .replace(/<interface type='hostdev'([^>]*)>([\s\S]*?)<\/interface>/g, (_all, managed: string, inner: string) => {
      const source = /<source>[\s\S]*?<\/source>/.exec(inner)?.[0].replace(/ type='pci'/, '') ?? '';
      const driver = /<driver\b[^>]*\/>/.exec(inner)?.[0] ?? '';
      const address = inner.replace(/<source>[\s\S]*?<\/source>/, '').match(/<address type='pci'[^>]*\/>/)?.[0] ?? '';
      return `<hostdev mode='subsystem' type='pci'${managed}>${driver}${source}${address}</hostdev>`;
    });
}

/** Host addresses (`dddd:bb:ss.f`) of a domain's PCI hostdevs, in document order, in which libvirt numbers them. */
export function hostAddresses(xml: string): string[] {
  const hostdevs = xml.matchAll(/<hostdev\b[^>]*type='pci'[^>]*>[\s\S]*?<source>\s*<address ([^>]*)\/>/g);
  return [...hostdevs].map(([, attributes = '']) => {
    const part = (name: string, digits: number): string => {
      const value = new RegExp(`${name}='0x([0-9a-f]+)'`).exec(attributes)?.[1] ?? '';
      return value.padStart(digits, '0');
    };
    return `${part('domain', 4)}:${part('bus', 2)}:${part('slot', 2)}.${part('function', 1)}`;
  });
}

/** The guest PCI addresses in a domain, as text: the position in the document, and the attributes of the address. */
export function pciAddresses(xml: string): string[] {
  const addresses = xml.replace(/<source>[\s\S]*?<\/source>/g, '').matchAll(/<address type='pci' ([^>]*)\/>/g);
  return [...addresses].map(([, attributes = ''], index) => `${index}: ${attributes.trim()}`);
}

/**
 * Returns a domain that starts without the host's hardware: host devices become emulated network cards at the same addresses,
 * QEMU emulates the SMMUs, and storage and networks need nothing from the host.
 */
export function withEmulatedDevices(xml: string): string {
  return forCommandLine(xml)
    .replace(/<hostdev\b[\s\S]*?<\/hostdev>/g, (hostdev) => {
      const address = hostdev.replace(/<source>[\s\S]*?<\/source>/, '').match(/<address type='pci'[^>]*\/>/)?.[0];
      return address === undefined ? '' : `<interface type='user'><model type='e1000e'/>${address}</interface>`;
    })
    .replace(/<interface type='(?!user)\w+'>([\s\S]*?)<\/interface>/g, (_all, inner: string) => {
      return `<interface type='user'>${inner.replace(/<source\b[^>]*\/>|<target\b[^>]*\/>/g, '')}</interface>`;
    })
    .replace(/(<iommu model='smmuv3'>\s*<driver) [^>]*?(pciBus='\d+')[^>]*\/>/g, '$1 $2/>')
    .replace(/<iommufd\b[^>]*\/>/, '')
    .replace(/<disk type='file' device='disk'>([\s\S]*?)<\/disk>/g, (_all, inner: string) => {
      const disk = inner.replace(/<driver\b[^>]*\/>/, "<driver name='qemu' type='raw'/>");
      const source = `<source file='${anyFile}'`;
      return `<disk type='file' device='disk'>${disk.replace(/<source file='[^']*'/, source)}<readonly/></disk>`;
    })
    .replace(/(<(?:memory|currentMemory) unit=)'\w+'>\d+</g, "$1'MiB'>256<");
}
