import fc from 'fast-check';
import { qemuOfVersion, type Target, UPSTREAM } from '../../src/domain/target.js';
import type { PciDevice } from '../../src/generated/topology.js';
import type { Host } from '../../src/host/host.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { arbitraryHost } from '../host/arbitrary.js';

/** The position of a device in the input. */
type Placement =
  | 'nowhere'
  | 'empty-address'
  | 'port'
  | 'vsmmu'
  | 'numa'
  | 'slot'
  | 'pci-bridge'
  | 'shared'
  | 'beside-port'
  | 'missing';

interface HostDeviceSpec {
  /** Index of an endpoint of the host, modulo their number. */
  readonly pick: number;
  readonly element: 'hostdev' | 'interface';
  readonly placement: Placement | 'unassigned';
  readonly driver: 'none' | 'name' | 'iommufd' | 'no-iommufd';
  /** Whether another device takes function 0 of a shared slot. */
  readonly takesFunctionZero: boolean;
}

interface EmulatedSpec {
  readonly kind: 'disk' | 'nic' | 'rng' | 'usb';
  readonly placement: Placement;
}

interface ExpanderSpec {
  /** Without an SMMU; with an SMMU that a user added; as an earlier run of vsmmu would have written it, in use or idle. */
  readonly kind: 'numa' | 'hand-made' | 'ours' | 'ours-idle';
  readonly smmu: number;
  readonly ports: number;
  /** Free bus numbers above the current ones; `unnumbered`: the expander bus has no `busNr`. */
  readonly room: number | 'unnumbered';
  readonly values: 'none' | 'off' | 'accel' | 'all';
}

interface Style {
  readonly quote: "'" | '"';
  readonly indent: string;
  readonly lineEnd: '\n' | '\r\n';
  /** Whether numbers in addresses are written in octal. */
  readonly octal: boolean;
}

interface DomainSpec {
  readonly style: Style;
  /** `none`: without controllers and addresses, as KubeVirt writes domains. */
  readonly controllers: 'some' | 'none';
  readonly ports: number;
  /** Numbers of controller indexes to skip before each port. */
  readonly gaps: readonly number[];
  readonly portAddresses: 'packed' | 'own-slots' | 'none';
  readonly chassis: 'index' | 'shifted' | 'none';
  readonly switchPorts: number;
  readonly pciBridge: boolean;
  readonly expanders: readonly ExpanderSpec[];
  readonly hostDevices: readonly HostDeviceSpec[];
  readonly emulated: readonly EmulatedSpec[];
  readonly machineIommu: 'none' | 'machine-wide' | 'pcie.0';
  /** No `<numa>`; an empty `<numa>`; one or two cells, each bound to a node of the host. */
  readonly numa: 'none' | 'empty' | 1 | 2;
  /** Whether `<qemu:commandline>` adds an expander bus. */
  readonly commandline: boolean;
  /** Whether the domain has `<memoryBacking>`, `<ras>`, and `<rom>` at host devices. */
  readonly settings: 'none' | 'other' | 'own';
}

/** A domain, its host and a policy. */
export interface Case {
  readonly host: Host;
  readonly xml: string;
  readonly policy: Policy;
  /** The libvirt and the QEMU that will run the domain. */
  readonly target: Target;
}

const often = <T>(usual: T, ...rare: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...rare) });

const hostDevice: fc.Arbitrary<HostDeviceSpec> = fc.record({
  pick: fc.nat(39),
  element: often('hostdev', 'interface'),
  placement: fc.constantFrom(
    'nowhere',
    'nowhere',
    'port',
    'port',
    'port',
    'vsmmu',
    'vsmmu',
    'shared',
    'shared',
    'numa',
    'slot',
    'pci-bridge',
    'beside-port',
    'missing',
    'empty-address',
    'unassigned',
  ),
  driver: often('none', 'name', 'iommufd', 'no-iommufd'),
  takesFunctionZero: fc.boolean(),
});

const emulated: fc.Arbitrary<EmulatedSpec> = fc.record({
  kind: fc.constantFrom('disk', 'nic', 'rng', 'usb'),
  placement: fc.oneof(
    {
      weight: 12,
      arbitrary: fc.constantFrom('port', 'port', 'slot', 'shared', 'numa', 'pci-bridge', 'beside-port', 'missing'),
    },
    { weight: 2, arbitrary: fc.constantFrom('nowhere', 'empty-address', 'vsmmu') },
  ),
});

const expander: fc.Arbitrary<ExpanderSpec> = fc.record({
  kind: fc.constantFrom('numa', 'hand-made', 'ours', 'ours-idle'),
  smmu: fc.nat(15),
  ports: fc.integer({ min: 0, max: 4 }),
  room: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 16 }) },
    { weight: 1, arbitrary: fc.constantFrom(-1, 'unnumbered' as const) },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: 250 }) },
  ),
  values: often('accel', 'none', 'off', 'all'),
});

const style: fc.Arbitrary<Style> = fc.record({
  quote: fc.constantFrom("'", '"'),
  indent: fc.constantFrom('  ', '\t', ''),
  lineEnd: often('\n', '\r\n'),
  octal: often(false, true),
});

const few = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number) => fc.array(arbitrary, { maxLength, size: 'max' });

const domain: fc.Arbitrary<DomainSpec> = fc.record({
  style,
  controllers: often('some', 'none'),
  ports: fc.integer({ min: 0, max: 24 }),
  gaps: fc.oneof(fc.constant([]), fc.array(fc.constantFrom(0, 0, 0, 1, 3), { maxLength: 24 })),
  portAddresses: often('packed', 'own-slots', 'none'),
  chassis: often('index', 'shifted', 'none'),
  switchPorts: often(0, 1, 3),
  pciBridge: often(false, true),
  expanders: fc.oneof(fc.constant([]), few(expander, 3)),
  hostDevices: fc.oneof(few(hostDevice, 6), few(hostDevice, 40)),
  emulated: few(emulated, 8),
  machineIommu: often('none', 'machine-wide', 'pcie.0'),
  numa: fc.constantFrom<DomainSpec['numa'][]>('none', 'none', 'empty', 1, 2),
  commandline: fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, fc.constant(true)),
  settings: often('none', 'other', 'own'),
});

/** Today's upstream; older patched libvirts with other attributes; a QEMU without command queues. */
const target: fc.Arbitrary<Target> = often<Target>(
  UPSTREAM,
  { ...UPSTREAM, libvirt: { ...UPSTREAM.libvirt, dialect: 'camelCase' } },
  { ...UPSTREAM, libvirt: { ...UPSTREAM.libvirt, dialect: 'pasid' } },
  { ...UPSTREAM, qemu: qemuOfVersion('11.0') },
);

/** Policies with random values for all keys. Half of them have every value that a vSMMU without a device needs. */
export function arbitraryPolicy(host: Host): fc.Arbitrary<Policy> {
  const bdfs = host.endpoints.map(({ bdf }) => bdf);
  const values = fc.oneof(
    fc.constant({}),
    fc.record({
      ats: fc.constantFrom('on' as const, 'off' as const),
      ril: fc.constantFrom('on' as const, 'off' as const),
      ssidsize: fc.integer({ min: 0, max: 20 }),
      oas: fc.constantFrom(44 as const, 48 as const),
      cmdqv: fc.constantFrom('on' as const, 'off' as const),
    }),
    fc.record({ ats: fc.constant('on' as const), profile: fc.constant('none' as const) }),
  );
  return fc
    .tuple(
      fc.record({
        grouping: often('smmu', 'device'),
        expanderBuses: often('used', 'all'),
        spareMemory: often<Policy['spareMemory']>(0, '1G', '96G'),
        mirrorSwitches: often(false, true),
        completeGroups: often(false, true),
        iommufd: often('device', 'domain'),
        sparePorts: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
        busWindow: often(0, 3, 9, 40),
        bypass: bdfs.length === 0 ? fc.constant([]) : fc.subarray(bdfs, { maxLength: Math.min(3, bdfs.length) }),
        groupMates: often('bypass', 'error'),
        emulatedIommu: fc.constantFrom('drop', 'error'),
        ignoreCommandline: fc.boolean(),
        numa: fc.constantFrom('existing', 'create'),
        initiators: often('auto', 'none'),
        romBar: often('keep', 'off'),
        ras: often('keep', 'on'),
        hugePages: often('keep', 'on', '2M', '16G'),
      } satisfies Partial<Record<keyof Policy, unknown>>),
      values,
    )
    .map(([keys, given]) => ({ ...DEFAULT_POLICY, ...keys, ...given }) as Policy);
}

/** Random domains on random hosts with random policies. */
export const arbitraryCase: fc.Arbitrary<Case> = arbitraryHost.chain((host) =>
  fc
    .tuple(domain, arbitraryPolicy(host), target)
    .map(([spec, policy, to]) => ({ host, policy, target: to, xml: new DomainWriter(spec, host).write() })),
);

/** An edit of a domain between two runs. */
export interface Change {
  /** Per host device, in rotation: whether it is removed. */
  readonly removed: readonly boolean[];
  /** Endpoints of the host to add without an address: indexes, modulo their number. */
  readonly added: readonly number[];
  /** Number of emulated devices to add without an address. */
  readonly disks: number;
  readonly policy: Policy;
}

/** A case, and an edit of the domain after its first rewrite. */
export const arbitraryStory: fc.Arbitrary<Case & { readonly change: Change }> = arbitraryCase.chain((first) =>
  fc
    .record({
      removed: fc.array(fc.boolean(), { maxLength: 6 }),
      added: fc.array(fc.nat(39), { maxLength: 4 }),
      disks: often(0, 1, 3),
      policy: arbitraryPolicy(first.host),
    })
    .map((change) => ({ ...first, change })),
);

/** Applies a change to a domain's text. */
export function applyChange(xml: string, host: Host, { removed, added, disks }: Change): string {
  let n = 0;
  const less = xml.replace(/[ \t]*<hostdev [\s\S]*?<\/hostdev>\r?\n/g, (whole) =>
    removed[n++ % Math.max(1, removed.length)] ? '' : whole,
  );
  const { endpoints } = host;
  const present = new Set([...less.matchAll(/<!-- (\S+) -->/g)].map(([, name]) => name));
  const fresh = new Set(added.flatMap((i) => endpoints[i % Math.max(1, endpoints.length)]?.bdf ?? []));
  const hostdevs = [...fresh].filter((bdf) => !present.has(bdf)).map((bdf) => `${bareHostdev(bdf)}\n`);
  const more = Array.from(
    { length: disks },
    (_, i) => `<disk type='file'><target dev='vdx${i}' bus='virtio'/></disk>\n`,
  );
  const lineEnd = xml.includes('\r\n') ? '\r\n' : '\n';
  const text = [...hostdevs, ...more].join('').replaceAll('\n', lineEnd);
  return less.replace('</devices>', `${text}</devices>`);
}

function bareHostdev(bdf: string): string {
  const [domain = '', bus = '', slot = '', func = ''] = bdf.split(/[:.]/);
  return [
    "<hostdev mode='subsystem' type='pci' managed='yes'>",
    `<!-- ${bdf} -->`,
    `<source><address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${func}'/></source>`,
    '</hostdev>',
  ].join('\n');
}

interface Slot {
  readonly bus: number;
  readonly slot: number;
}

/** Writes the domain that a spec describes. libvirt accepts the domain; QEMU may not. */
class DomainWriter {
  readonly #spec: DomainSpec;
  readonly #host: Host;
  readonly #lines: string[] = [];
  readonly #pools: Record<'port' | 'vsmmu' | 'numa' | 'pci-bridge', Slot[]> = {
    port: [],
    vsmmu: [],
    numa: [],
    'pci-bridge': [],
  };
  /** Functions in use, by slot. */
  readonly #functions = new Map<string, Set<number>>();
  readonly #shareable: Slot[] = [];
  readonly #portSlots: Slot[] = [];
  readonly #iommus: string[][] = [];
  #nextIndex = 1;
  #nextRootSlot = 1;
  #nextBusNr = 256;
  #nextMissing = 0;
  #depth = 0;

  constructor(spec: DomainSpec, host: Host) {
    this.#spec = spec;
    this.#host = host;
  }

  write(): string {
    const bare = this.#spec.controllers === 'none';
    this.#open('domain', { type: 'kvm' });
    this.#line('<name>random &amp; so on</name>');
    this.#line('<memory>8388608</memory>');
    const { settings } = this.#spec;
    const own = settings === 'own';
    if (settings !== 'none') {
      this.#open('memoryBacking', {});
      this.#line(own ? '<hugepages/>' : '<locked/>');
      this.#close('memoryBacking');
    }
    this.#line('<vcpu>4</vcpu>');
    this.#bindCells();
    this.#open('os', {});
    this.#line(`<type ${this.#attributes({ arch: 'aarch64', machine: 'virt-11.1' })}>hvm</type>`);
    this.#close('os');
    this.#open('features', {});
    this.#line('<acpi/>');
    if (own) this.#empty('ras', { state: 'on' });
    this.#close('features');
    this.#writeCells();
    this.#open('devices', {});
    if (!bare) this.#writeControllers();
    for (const [i, device] of this.#spec.emulated.entries()) this.#writeEmulated(device, i, bare);
    const given = new Set<string>();
    for (const device of this.#spec.hostDevices) {
      const { endpoints } = this.#host;
      const endpoint = endpoints[device.pick % Math.max(1, endpoints.length)];
      if (!endpoint || given.has(endpoint.bdf)) continue;
      given.add(endpoint.bdf);
      this.#writeHostDevice(device, endpoint, bare);
    }
    if (this.#spec.machineIommu === 'machine-wide') this.#empty('iommu', { model: 'smmuv3' });
    if (this.#spec.machineIommu === 'pcie.0') this.#iommus.push(['0', 'none']);
    for (const [bus = '', values = ''] of this.#iommus) this.#writeIommu(bus, values);
    this.#close('devices');
    if (this.#spec.commandline) {
      this.#open('q:commandline', { 'xmlns:q': 'http://libvirt.org/schemas/domain/qemu/1.0' });
      this.#empty('q:arg', { value: 'pxb-pcie,bus_nr=9' });
      this.#close('q:commandline');
    }
    this.#close('domain');
    return this.#lines.map((line) => line + this.#spec.style.lineEnd).join('');
  }

  /** Binds the memory of each cell to one node of the host. */
  #bindCells(): void {
    const { numa } = this.#spec;
    this.#open('numatune', {});
    if (typeof numa !== 'number') this.#empty('memory', { mode: 'strict', nodeset: '0' });
    else {
      for (let cell = 0; cell < numa; cell++) {
        this.#empty('memnode', { cellid: String(cell), mode: 'strict', nodeset: String(cell) });
      }
    }
    this.#close('numatune');
  }

  #writeCells(): void {
    const { numa } = this.#spec;
    if (numa === 'none') return;
    this.#open('cpu', {});
    if (numa === 'empty') this.#empty('numa', {});
    else {
      this.#open('numa', {});
      for (let id = 0; id < numa; id++) {
        this.#empty('cell', { id: String(id), cpus: String(id), memory: '4194304' });
      }
      this.#close('numa');
    }
    this.#close('cpu');
  }

  #writeControllers(): void {
    const { ports, gaps, portAddresses, switchPorts, pciBridge, expanders } = this.#spec;
    this.#controller(0, 'pcie-root', undefined);
    for (let i = 0; i < ports; i++) {
      this.#nextIndex += gaps[i] ?? 0;
      const index = this.#nextIndex++;
      this.#controller(index, 'pcie-root-port', this.#portAddress(i, portAddresses));
      this.#pools.port.push({ bus: index, slot: 0 });
    }
    if (portAddresses === 'packed') this.#nextRootSlot += Math.ceil(ports / 8);
    if (switchPorts > 0) this.#writeSwitch(switchPorts);
    const port = pciBridge ? this.#pools.port.shift() : undefined;
    if (port) {
      const index = this.#nextIndex++;
      this.#controller(index, 'pcie-to-pci-bridge', this.#take(port));
      for (let slot = 1; slot < 6; slot++) this.#pools['pci-bridge'].push({ bus: index, slot });
    }
    for (const each of expanders) this.#writeExpander(each);
  }

  #portAddress(i: number, how: DomainSpec['portAddresses']): Address | undefined {
    if (how === 'none') return undefined;
    const slot = how === 'packed' ? 1 + Math.floor(i / 8) : this.#nextRootSlot++;
    if (slot > 31) return undefined;
    const at = { bus: 0, slot };
    this.#portSlots.push(at);
    return this.#take(at);
  }

  #writeSwitch(ports: number): void {
    const port = this.#pools.port.shift();
    if (!port) return;
    const upstream = this.#nextIndex++;
    this.#controller(upstream, 'pcie-switch-upstream-port', this.#take(port));
    for (let slot = 0; slot < ports; slot++) {
      const index = this.#nextIndex++;
      this.#controller(index, 'pcie-switch-downstream-port', this.#take({ bus: upstream, slot }));
      this.#pools.port.push({ bus: index, slot: 0 });
    }
  }

  #writeExpander({ kind, smmu, ports, room, values }: ExpanderSpec): void {
    if (this.#nextRootSlot > 31) return;
    const index = this.#nextIndex++;
    let busNr: number | undefined;
    if (room !== 'unnumbered') {
      busNr = Math.max(1, Math.min(254, this.#nextBusNr - 1 - ports - room));
      this.#nextBusNr = busNr;
    }
    const { smmus } = this.#host;
    const short = (smmus[smmu % smmus.length]?.name ?? '').replace(/^smmu3\.0x0*/, '');
    const alias = kind.startsWith('ours') ? `ua-vsmmu-smmu-${short}-${index}` : undefined;
    this.#controller(index, 'pcie-expander-bus', this.#take({ bus: 0, slot: this.#nextRootSlot++ }), busNr, alias);
    const pool = this.#pools[kind === 'numa' || kind === 'ours-idle' ? 'numa' : 'vsmmu'];
    for (let slot = 0; slot < ports; slot++) {
      const port = this.#nextIndex++;
      this.#controller(port, 'pcie-root-port', this.#take({ bus: index, slot }));
      pool.push({ bus: port, slot: 0 });
    }
    if (kind === 'hand-made' || kind === 'ours') this.#iommus.push([String(index), values]);
  }

  #controller(index: number, model: string, address?: Address, busNr?: number, alias?: string): void {
    const attributes = { type: 'pci', index: String(index), model };
    const { chassis } = this.#spec;
    const isPort = model === 'pcie-root-port' || model === 'pcie-switch-downstream-port';
    const number = chassis === 'shifted' ? ((index + 7) % 255) + 1 : index;
    if (model === 'pcie-root') {
      this.#empty('controller', attributes);
      return;
    }
    this.#open('controller', attributes);
    if (isPort && chassis !== 'none') this.#empty('target', { chassis: String(number), port: '0x8' });
    if (busNr !== undefined) this.#empty('target', { busNr: String(busNr) });
    if (alias !== undefined) this.#empty('alias', { name: alias });
    this.#address(address);
    this.#close('controller');
  }

  #writeEmulated({ kind, placement }: EmulatedSpec, i: number, bare: boolean): void {
    const [name, attributes, child] = {
      disk: ['disk', { type: 'file' }, ['target', { dev: `vd${i}`, bus: 'virtio' }]],
      nic: ['interface', { type: 'network' }, ['model', { type: 'virtio' }]],
      rng: ['rng', { model: 'virtio' }, ['backend', { model: 'random' }]],
      usb: ['controller', { type: 'usb', index: String(i), model: 'qemu-xhci' }, undefined],
    }[kind] as [string, Record<string, string>, [string, Record<string, string>] | undefined];
    this.#open(name, attributes);
    if (child) this.#empty(...child);
    this.#place(bare ? 'nowhere' : placement, false);
    this.#close(name);
  }

  #writeHostDevice(
    { element, placement, driver, takesFunctionZero }: HostDeviceSpec,
    { bdf }: PciDevice,
    bare: boolean,
  ) {
    const [domain = '', bus = '', slot = '', func = ''] = bdf.split(/[:.]/);
    const source = { domain: `0x${domain}`, bus: `0x${bus}`, slot: `0x${slot}`, function: `0x${func}` };
    const drivers: Record<HostDeviceSpec['driver'], Record<string, string> | undefined> = {
      none: undefined,
      name: { name: 'vfio' },
      iommufd: { name: 'vfio', iommufd: 'yes' },
      'no-iommufd': { iommufd: 'no' },
    };
    this.#open(
      element,
      element === 'hostdev' ? { mode: 'subsystem', type: 'pci', managed: 'yes' } : { type: 'hostdev', managed: 'yes' },
    );
    this.#line(`<!-- ${bdf} -->`);
    if (drivers[driver]) this.#empty('driver', drivers[driver]);
    this.#open('source', {});
    this.#empty('address', element === 'hostdev' ? source : { type: 'pci', ...source });
    this.#close('source');
    if (this.#spec.settings !== 'none') this.#empty('rom', this.#spec.settings === 'own' ? { bar: 'off' } : {});
    if (placement === 'unassigned') this.#empty('address', { type: 'unassigned' });
    else this.#place(bare ? 'nowhere' : placement, takesFunctionZero);
    this.#close(element);
  }

  #place(placement: Placement, takesFunctionZero: boolean): void {
    const at = this.#slotFor(placement);
    if (at) this.#address(this.#take(at, takesFunctionZero));
    else if (placement === 'empty-address') this.#empty('address', { type: 'pci' });
    if (at) this.#shareable.push(at);
  }

  #slotFor(placement: Placement): Slot | undefined {
    switch (placement) {
      case 'port':
      case 'vsmmu':
      case 'numa':
      case 'pci-bridge':
        return this.#pools[placement].shift();
      case 'slot':
        return this.#nextRootSlot <= 31 ? { bus: 0, slot: this.#nextRootSlot++ } : undefined;
      case 'shared':
        return this.#withRoom(this.#shareable);
      case 'beside-port':
        return this.#withRoom(this.#portSlots);
      case 'missing':
        // No controller provides this bus: libvirt adds one.
        return { bus: Math.min(200, this.#nextIndex + 4) + this.#nextMissing++, slot: 0 };
      default:
        return undefined;
    }
  }

  #withRoom(slots: readonly Slot[]): Slot | undefined {
    return slots.findLast(({ bus, slot }) => (this.#functions.get(`${bus}:${slot}`)?.size ?? 0) < 8);
  }

  /** Returns the lowest free function. With `leaveZero`, function 0 stays free for a later device. */
  #take(at: Slot, leaveZero = false): Address {
    const key = `${at.bus}:${at.slot}`;
    const taken = this.#functions.get(key) ?? new Set();
    this.#functions.set(key, taken);
    let func = leaveZero && !taken.has(1) ? 1 : 0;
    while (taken.has(func)) func++;
    taken.add(func);
    return { ...at, function: func };
  }

  #writeIommu(bus: string, values: string): void {
    const all = { accel: 'on', cmdqv: 'off', ats: 'on', ril: 'off', ssidsize: '8', oas: '44' };
    const given = { none: {}, off: { accel: 'off' }, accel: { accel: 'on' }, all }[values] ?? {};
    this.#open('iommu', { model: 'smmuv3' });
    this.#empty('driver', { pciBus: bus, ...given });
    this.#close('iommu');
  }

  #address(address: Address | undefined): void {
    if (!address) return;
    const { octal } = this.#spec.style;
    const written = (n: number) => (octal ? `0${n.toString(8)}` : `0x${n.toString(16).padStart(2, '0')}`);
    this.#empty('address', {
      type: 'pci',
      bus: written(address.bus),
      slot: written(address.slot),
      function: written(address.function),
      ...(address.function === 0 && address.slot % 2 === 1 ? { multifunction: 'on' } : {}),
    });
  }

  #attributes(values: Record<string, string>): string {
    const { quote } = this.#spec.style;
    return Object.entries(values)
      .map(([name, value]) => `${name}=${quote}${value}${quote}`)
      .join(' ');
  }

  #open(name: string, values: Record<string, string>): void {
    this.#line(`<${[name, this.#attributes(values)].join(' ').trim()}>`);
    this.#depth++;
  }

  #empty(name: string, values: Record<string, string>): void {
    this.#line(`<${name} ${this.#attributes(values)}/>`);
  }

  #close(name: string): void {
    this.#depth--;
    this.#line(`</${name}>`);
  }

  #line(text: string): void {
    this.#lines.push(this.#spec.style.indent.repeat(this.#depth) + text);
  }
}

interface Address extends Slot {
  readonly function: number;
}
