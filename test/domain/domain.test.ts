import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/diagnostics/errors.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';

const domainOf = (...devices: string[]): string =>
  ['<domain type="kvm">', '<devices>', ...devices, '</devices>', '</domain>'].join('\n');

const hostdev = (source: string, rest = ''): string =>
  `<hostdev mode='subsystem' type='pci'><source><address ${source}/></source>${rest}</hostdev>`;

const controller = (attributes: string, children = ''): string =>
  `<controller type='pci' ${attributes}>${children}</controller>`;

/** The diagnostics of a refused domain, each as `line:column code: message`. */
function complaints(xml: string): string[] {
  try {
    parseDomain(xml);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.diagnostics.map(
      ({ code, message, location }) => `${location?.line}:${location?.column} ${code}: ${message}`,
    );
  }
  return [];
}

describe('the source address of a host device', () => {
  it.each([
    [
      'is lower case with a PCI domain of four digits',
      "domain='0x0000' bus='0xC1' slot='0x00' function='0x0'",
      '0000:c1:00.0',
    ],
    ['has PCI domain 0 by default', "bus='0x31' slot='0x10' function='0x2'", '0000:31:10.2'],
    ['may have a PCI domain of five digits', "domain='0x10000' bus='0x01' slot='0x00' function='0x0'", '10000:01:00.0'],
    ['is parsed with C base 0: 010 is 8', "bus='010' slot='010' function='01'", '0000:08:08.1'],
    ['is parsed with C base 0: decimal without a prefix', "bus='49' slot='16' function='2'", '0000:31:10.2'],
    ['may have the prefix 0X', "bus='0X1F' slot='0' function='0'", '0000:1f:00.0'],
    ['is 0 in every missing part', "bus='1'", '0000:01:00.0'],
  ])('%s', (_title, source, bdf) => {
    expect(parseDomain(domainOf(hostdev(source))).hostDevices.map((d) => d.bdf)).toEqual([bdf]);
  });

  it.each([
    ['a slot over 31', "bus='1' slot='0x20'", "slot='0x20' is not a PCI slot"],
    ['a function over 7', "bus='1' function='9'", "function='9' is not a PCI function"],
    ['a bus over 255', "bus='0x100'", "bus='0x100' is not a PCI bus"],
    ['an octal number with an 8', "bus='1' slot='08'", "slot='08' is not a PCI slot"],
    ['a word', "bus='one'", "bus='one' is not a PCI bus"],
    ['a sign', "bus='-1'", "bus='-1' is not a PCI bus"],
    ['nothing', "bus=''", "bus='' is not a PCI bus"],
    ['hexadecimal without its prefix', "bus='1f'", "bus='1f' is not a PCI bus"],
  ])('is refused with its location: %s', (_title, source, message) => {
    expect(complaints(domainOf(hostdev(source)))).toEqual([`3:46 address-invalid: ${message}`]);
  });
});

describe('a guest address', () => {
  it('is in PCI domain 0, as libvirt has no other for guests', () => {
    const rng = "<rng model='virtio'><address type='pci' domain='0x0001' bus='1'/></rng>";
    expect(complaints(domainOf(rng))).toEqual(["3:21 address-invalid: domain='0x0001' is not a PCI domain of a guest"]);
  });
});

describe('a duplicate is refused:', () => {
  it.each([
    [
      'a controller index',
      [controller("index='1' model='pcie-root-port'"), controller("index='0x1' model='pcie-root-port'")],
      '4:1 controller-index-duplicate: PCI controller index 1 is already used in line 3',
    ],
    [
      'a guest address, whatever its spelling',
      [
        hostdev("bus='1'", "<address type='pci' bus='0x08' slot='0x00' function='0x0'/>"),
        "<rng model='virtio'><address type='pci' bus='010'/></rng>",
      ],
      '4:1 guest-address-duplicate: guest address 08:00.0 is already used in line 3',
    ],
    [
      'a guest address of a controller',
      [
        controller("index='1' model='pcie-root-port'", "<address type='pci' slot='1'/>"),
        "<rng model='virtio'><address type='pci' slot='1'/></rng>",
      ],
      '4:1 guest-address-duplicate: guest address 00:01.0 is already used in line 3',
    ],
    [
      'a host device, as a hostdev or an interface',
      [hostdev("bus='0x31'"), "<interface type='hostdev'><source><address type='pci' bus='49'/></source></interface>"],
      '4:1 host-device-duplicate: host device 0000:31:00.0 is already in the domain, in line 3',
    ],
  ])('%s', (_title, devices, complaint) => {
    expect(complaints(domainOf(...devices))).toEqual([complaint]);
  });

  it('all duplicates are reported together', () => {
    const twice = [hostdev("bus='1'"), hostdev("bus='1'"), hostdev("bus='2'"), hostdev("bus='2'")];
    expect(complaints(domainOf(...twice))).toHaveLength(2);
  });
});

describe('a controller', () => {
  it('without an index gets the lowest free one, as in libvirt', () => {
    const domain = parseDomain(
      domainOf(
        controller("model='pcie-root-port'"),
        controller("model='pcie-root'"),
        controller("index='1' model='pcie-root-port'"),
        controller("model='pcie-root-port'"),
      ),
    );
    expect(domain.controllers.map((c) => c.index)).toEqual([2, 0, 1, 3]);
  });

  it('without an index gets 0 only if 0 is free, even if it is a further root bus (pseries)', () => {
    const domain = parseDomain(domainOf(controller("model='pci-root'"), controller("model='pci-root'")));
    expect(domain.controllers.map((c) => c.index)).toEqual([0, 1]);
  });

  it.each([
    ["index='256' model='pcie-root-port'", '', "index='256' is not a number from 0 to 255"],
    ["index='1' model='pcie-expander-bus'", "<target busNr='255'/>", "busNr='255' is not a number from 1 to 254"],
    ["index='1' model='pcie-expander-bus'", "<target busNr='0'/>", "busNr='0' is not a number from 1 to 254"],
    ["index='1' model='pcie-root-port'", "<target chassis='256'/>", "chassis='256' is not a number from 0 to 255"],
  ])('%s %s is refused', (attributes, children, message) => {
    expect(complaints(domainOf(controller(attributes, children)))).toEqual([`3:1 number-invalid: ${message}`]);
  });
});

describe('a device', () => {
  const only = (xml: string): Domain => parseDomain(domainOf(xml));

  it.each([
    ['no address', ''],
    ['an empty address', "<address type='pci'/>"],
    ["another function of the host bridge's slot", "<address type='pci' bus='0x00' slot='0x00' function='0x1'/>"],
    ['an address of zeros', "<address type='pci' domain='0x0000' bus='0x00' slot='0x00' function='0x0'/>"],
  ])('with %s needs an address from libvirt', (_title, address) => {
    const [device] = only(hostdev("bus='1'", address)).hostDevices;
    expect(device).toMatchObject({ address: undefined, awaitsAddress: true, unassigned: false });
  });

  it('that libvirt prints twice, as a serial port and as its console, is one device', () => {
    const address = "<address type='pci' bus='0' slot='4'/>";
    const { otherDevices } = parseDomain(
      domainOf(
        `<serial type='pty'><target type='pci-serial'/>${address}</serial>`,
        `<console type='pty'><target type='serial'/>${address}</console>`,
      ),
    );
    expect(otherDevices.map(({ name }) => name)).toEqual(['serial']);
  });

  it('with an unassigned address is not given to the guest, and needs no address', () => {
    const [device] = only(hostdev("bus='1'", "<address type='unassigned'/>")).hostDevices;
    expect(device).toMatchObject({ address: undefined, awaitsAddress: false, unassigned: true });
  });

  it.each([
    ['a hostdev of a USB device', "<hostdev mode='subsystem' type='usb'><source/></hostdev>"],
    ['a mediated device', "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source/></hostdev>"],
    ['an interface of a network', "<interface type='network'><source network='default'/></interface>"],
    ['a hostdev without a source', "<hostdev mode='subsystem' type='pci'/>"],
    [
      'a device of a container',
      "<hostdev mode='capabilities' type='pci'><source><address bus='1'/></source></hostdev>",
    ],
    ['another element of that type', "<rng type='hostdev'><source><address bus='1'/></source></rng>"],
    [
      'an interface of another type',
      "<interface type='user'><source><address type='pci' bus='1'/></source></interface>",
    ],
    ['an interface on USB', "<interface type='hostdev'><source><address type='usb' bus='1'/></source></interface>"],
  ])('is not placeable: %s', (_title, xml) => {
    expect(only(xml).hostDevices).toEqual([]);
  });

  it.each([
    ['a disk on virtio', "<disk><target dev='vda' bus='virtio'/></disk>", 1],
    ['a disk on SATA', "<disk><target dev='sda' bus='sata'/></disk>", 0],
    ['an interface', "<interface type='network'/>", 1],
    ['a random number generator', "<rng model='virtio'/>", 1],
    ['a memory balloon', "<memballoon model='virtio'/>", 1],
    ['no memory balloon', "<memballoon model='none'/>", 0],
    ['a USB controller', "<controller type='usb' model='qemu-xhci'/>", 1],
    ['no USB controller', "<controller type='usb' model='none'/>", 0],
    ['a USB tablet', "<input type='tablet' bus='usb'/>", 0],
    ['a serial port', "<serial type='pty'/>", 0],
    ['a mediated device', "<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>", 1],
    ['a USB host device', "<hostdev mode='subsystem' type='usb'/>", 0],
    ['a SCSI host device', "<hostdev mode='subsystem' type='scsi'/>", 0],
    ['a device of a container', "<hostdev mode='capabilities' type='storage'/>", 0],
    ['a TPM', "<tpm model='tpm-tis'/>", 0],
    ['an NVMe controller', "<controller type='nvme'/>", 1],
    ['a floppy controller', "<controller type='fdc'/>", 0],
    ['a virtio tablet', "<input type='tablet' bus='virtio'/>", 1],
    ['a tablet on any bus', "<input type='tablet'/>", 1],
    ['a keyboard on any bus', "<input type='keyboard'/>", 0],
    ['a video card', "<video><model type='virtio'/></video>", 1],
    ['no video card', "<video><model type='none'/></video>", 0],
    ['a sound card', "<sound model='ich9'/>", 1],
    ['a sound card on USB', "<sound model='usb'/>", 0],
    ['a watchdog on PCI', "<watchdog model='i6300esb'/>", 1],
    ['another watchdog', "<watchdog model='itco'/>", 0],
    ['a panic device on PCI', "<panic model='pvpanic'/>", 1],
    ['another panic device', "<panic model='hyperv'/>", 0],
    ['a virtio-iommu', "<iommu model='virtio'/>", 1],
    ['an SMMU', "<iommu model='smmuv3'/>", 0],
    ['virtio memory', "<memory model='virtio-mem'/>", 1],
    ['persistent virtio memory', "<memory model='virtio-pmem'/>", 1],
    ['a DIMM', "<memory model='dimm'/>", 0],
    ['a serial port on PCI', "<serial type='pty'><target type='pci-serial'/></serial>", 1],
    ['a file system', '<filesystem/>', 1],
    ['an audio backend', "<audio type='none'/>", 0],
  ])('without an address: %s needs %s from libvirt', (_title, xml, count) => {
    expect(only(xml).otherDevices.filter((d) => d.awaitsAddress)).toHaveLength(count);
  });

  it.each([
    ['SCSI for a disk', "<disk><target dev='sda' bus='scsi'/></disk>", 1],
    ['USB for a tablet', "<input type='tablet' bus='usb'/>", 1],
    ['serial for an agent', "<channel type='unix'><target type='virtio' name='agent'/></channel>", 1],
    ['none that exists already', "<controller type='scsi'/><disk><target dev='sda' bus='scsi'/></disk>", 0],
    ['none for virtio', "<disk><target dev='vda' bus='virtio'/></disk>", 0],
    ['a video card for a display', "<graphics type='vnc'/>", 1],
    ['none for a display with a video card', "<graphics type='vnc'/><video/>", 0],
    ['none for a video card without a display', '<video/>', 0],
  ])('makes libvirt add controllers and a video card: %s', (_title, xml, count) => {
    expect(only(xml).impliedDevices).toBe(count);
  });

  it.each(['yes', 'no', undefined])('has the iommufd of its <driver>: %s', (iommufd) => {
    const driver = iommufd === undefined ? "<driver name='vfio'/>" : `<driver iommufd='${iommufd}'/>`;
    expect(only(hostdev("bus='1'", driver)).hostDevices[0]?.iommufd).toBe(iommufd);
  });
});

describe('an SMMU', () => {
  it('belongs to the whole machine, or to a bus by its index', () => {
    const { iommus } = parseDomain(
      domainOf("<iommu model='smmuv3'/>", "<iommu model='smmuv3'><driver pciBus='0x0a' accel='on' oas='44'/></iommu>"),
    );
    expect(iommus.map((i) => [i.pciBus, i.values])).toEqual([
      [undefined, {}],
      [10, { accel: 'on', oas: '44' }],
    ]);
  });

  it('may have the attribute name that patched libvirts use for ssidsize', () => {
    const { iommus } = parseDomain(domainOf("<iommu model='smmuv3'><driver pciBus='1' ssidSize='20'/></iommu>"));
    expect(iommus[0]?.values).toEqual({ ssidsize: '20' });
  });
});

describe('arguments for QEMU', () => {
  it('are read with any prefix', () => {
    const xml =
      "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline><q:arg value='-device'/></q:commandline></domain>";
    expect(parseDomain(xml).commandline.map((a) => a.value)).toEqual(['-device']);
  });

  it('are ignored in another namespace', () => {
    const xml = "<domain xmlns:q='urn:other'><q:commandline><q:arg value='-device'/></q:commandline></domain>";
    expect(parseDomain(xml).commandline).toEqual([]);
  });
});
