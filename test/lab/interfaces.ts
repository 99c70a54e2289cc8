/**
 * The addresses of a domain's interfaces. `domxml-to-native` drops them: it gives each interface the free port with the lowest
 * index, which may be a port below an expander bus. When a domain starts, its interfaces keep their addresses (libvirt 12.8).
 */
import { addrText, deviceOf, type QemuOption } from './argv.js';

interface Location {
  readonly bus: string;
  readonly addr: string;
  readonly multifunction: boolean;
}

/** Returns the command line with each network card at its address in the domain. */
export function withInterfacesInPlace(options: readonly QemuOption[], xml: string): QemuOption[] {
  const places = interfacePlaces(xml);
  return options.map((option) => {
    const device = deviceOf(option);
    const location = device?.netdev === undefined ? undefined : places.get(String(device.mac));
    if (device === undefined || location === undefined) return option;
    const { bus, addr, multifunction } = location;
    return {
      name: '-device',
      value: JSON.stringify({ ...device, bus, addr, ...(multifunction ? { multifunction } : {}) }),
    };
  });
}

/** The addresses of interfaces by MAC address. */
function interfacePlaces(xml: string): Map<string, Location> {
  const aliases = controllerAliases(xml);
  const places = new Map<string, Location>();
  for (const [, inner = ''] of xml.matchAll(/<interface\b[^>]*>([\s\S]*?)<\/interface>/g)) {
    const mac = /<mac address='([^']*)'/.exec(inner)?.[1];
    const address = /<address type='pci' ([^>]*)\/>/.exec(inner.replace(/<source>[\s\S]*?<\/source>/, ''))?.[1];
    if (mac === undefined || address === undefined) continue;
    const part = (name: string): number => Number(new RegExp(`${name}='(0x[0-9a-f]+)'`).exec(address)?.[1] ?? 0);
    const bus = part('bus');
    places.set(mac, {
      bus: bus === 0 ? 'pcie.0' : (aliases.get(bus) ?? `pci.${bus}`),
      addr: addrText(part('slot'), part('function')),
      multifunction: address.includes("multifunction='on'"),
    });
  }
  return places;
}

/** User aliases of PCI controllers, by index. */
function controllerAliases(xml: string): Map<number, string> {
  const controllers = xml.matchAll(/<controller type='pci' index='(\d+)'[^>/]*>([\s\S]*?)<\/controller>/g);
  return new Map(
    [...controllers].flatMap(([, index, inner = '']) => {
      const alias = /<alias name='(ua-[^']*)'/.exec(inner)?.[1];
      return alias === undefined ? [] : [[Number(index), alias] as const];
    }),
  );
}
