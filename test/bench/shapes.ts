/**
 * Measures how time grows with the size of the input, for many kinds of input: prints the exponent (1 is linear) and the CPU time
 * of the largest size. `npm run bench` runs all; `npx tsx test/bench/shapes.ts PART_OF_NAME SCALE` runs some, with smaller sizes.
 * The exponent does not depend on the speed of the computer.
 */
import { revert } from '../../src/edit/undo/revert.js';
import { check, DEFAULT_POLICY, DiagnosedError, parseDomain, plan, readTopology, rewrite } from '../../src/index.js';
import { readPolicy } from '../../src/policy/policy.js';

/** A kind of input with its size, and the call to measure. */
interface Shape {
  readonly name: string;
  /** The largest size; the others are a half and a quarter of it. */
  readonly size: number;
  readonly make: (size: number) => string;
  readonly run: (input: string) => unknown;
}

const repeat = (size: number, make: (index: number) => string): string =>
  Array.from({ length: size }, (_, i) => make(i)).join('');
const hex = (value: number): string => value.toString(16).padStart(2, '0');
/** A unique PCI address per index, in PCI domains from 0x10000. */
const addressOf = (index: number) => ({
  domain: 0x10000 + (index >> 16),
  bus: (index >> 8) & 0xff,
  slot: (index >> 3) & 0x1f,
  function: index & 7,
});
const bdfOf = (index: number): string => {
  const { domain, bus, slot, function: func } = addressOf(index);
  return `${domain.toString(16)}:${hex(bus)}:${hex(slot)}.${func}`;
};

const ROOT = "<controller type='pci' index='0' model='pcie-root'/>";
const domain = (devices: string, rest = ''): string =>
  `<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>${rest}<os><type arch='aarch64' machine='virt'>hvm</type></os><features><acpi/></features>\n<devices>${ROOT}\n${devices}</devices></domain>`;
const hostdev = (index: number): string => {
  const { domain: d, bus, slot, function: func } = addressOf(index);
  return `<hostdev mode='subsystem' type='pci'><source><address domain='${d}' bus='${bus}' slot='${slot}' function='${func}'/></source></hostdev>\n`;
};
const record = (inside: string, attributes = ''): string =>
  `<metadata><v:placement xmlns:v='urn:vsmmu:domain:1' ${attributes}>${inside}</v:placement></metadata>`;

const snapshot = (
  size: number,
  { group = (i: number): number | null => i, parent = (_: number): string | null => null, bridge = false } = {},
): string =>
  JSON.stringify({
    version: 1,
    smmus: [{ name: 'smmu3.0x0000000000001000', node: 0 }],
    devices: Array.from({ length: size }, (_, i) => ({
      bdf: bdfOf(i),
      vendor: '0x8086',
      device: '0x1572',
      class: bridge ? '0x060400' : '0x020000',
      driver: 'vfio-pci',
      vfio: true,
      bridge,
      smmu: 'smmu3.0x0000000000001000',
      group: group(i),
      node: 0,
      parent: parent(i),
      physfn: null,
      bars: [],
    })),
    nodes: [],
  });

const HOST = readTopology(snapshot(32), 'host.json');

/** Runs all operations on a domain, and ignores refusals. */
function everything(xml: string, host = HOST): void {
  for (const step of [
    () => check(parseDomain(xml), host),
    () => {
      const read = parseDomain(xml);
      const { plan: made } = plan(read, host, DEFAULT_POLICY);
      const after = rewrite(read, made);
      revert(parseDomain(after));
    },
    () => revert(parseDomain(xml), { force: true }),
  ]) {
    try {
      step();
    } catch (error) {
      if (!(error instanceof DiagnosedError)) throw error;
    }
  }
}

function attempt(step: () => unknown): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
  }
}

const hosts = new Map<number, ReturnType<typeof readTopology>>();
const hostOf = (size: number) => {
  const known = hosts.get(size) ?? readTopology(snapshot(size), 'host.json');
  hosts.set(size, known);
  return known;
};

const SHAPES: readonly Shape[] = [
  {
    name: 'host devices that the host does not have',
    size: 32_000,
    make: (n) => domain(repeat(n, (i) => hostdev(i + 64))),
    run: everything,
  },
  {
    name: 'host devices',
    size: 32_000,
    make: (n) => domain(repeat(n, hostdev)),
    run: (xml) => everything(xml, hostOf(32_000)),
  },
  {
    name: 'host devices without a group',
    size: 32_000,
    make: (n) => domain(repeat(n, hostdev)),
    run: (xml) => everything(xml, UNGROUPED),
  },
  {
    name: 'host devices of one group',
    size: 32_000,
    make: (n) => domain(repeat(n, hostdev)),
    run: (xml) => everything(xml, ONE_GROUP),
  },
  { name: 'host devices twice', size: 32_000, make: (n) => domain(repeat(n, () => hostdev(1))), run: everything },
  {
    name: 'vSMMUs',
    size: 32_000,
    make: (n) =>
      domain(repeat(n, (i) => `<iommu model='smmuv3'><driver pciBus='${i % 255}' accel='on'/></iommu>\n`) + hostdev(0)),
    run: everything,
  },
  {
    name: 'vSMMUs of one bus',
    size: 32_000,
    make: (n) =>
      domain(repeat(n, () => "<iommu model='smmuv3'><driver pciBus='1' accel='on'/></iommu>\n") + hostdev(0)),
    run: everything,
  },
  {
    name: 'other IOMMUs',
    size: 32_000,
    make: (n) => domain(repeat(n, () => "<iommu model='smmuv3'/>\n") + hostdev(0)),
    run: everything,
  },
  {
    name: 'controllers',
    size: 16_000,
    make: (n) =>
      domain(repeat(n, (i) => `<controller type='pci' index='${i % 256}' model='pcie-root-port'/>\n`) + hostdev(0)),
    run: everything,
  },
  {
    name: 'controllers without an index',
    size: 16_000,
    make: (n) => domain(repeat(n, () => "<controller type='pci' model='pcie-root-port'/>\n") + hostdev(0)),
    run: everything,
  },
  {
    name: 'expander buses without an index',
    size: 16_000,
    make: (n) => domain(repeat(n, () => "<controller type='pci' model='pcie-expander-bus'/>\n") + hostdev(0)),
    run: everything,
  },
  {
    name: 'disks without an address',
    size: 16_000,
    make: (n) => domain(repeat(n, () => "<disk type='file'><target dev='vda' bus='virtio'/></disk>\n") + hostdev(0)),
    run: everything,
  },
  {
    name: 'disks with an address',
    size: 16_000,
    make: (n) =>
      domain(
        repeat(
          n,
          (i) =>
            `<disk type='file'><target dev='vda' bus='virtio'/><address type='pci' bus='${(i >> 8) & 255}' slot='${(i >> 3) & 31}' function='${i & 7}'/></disk>\n`,
        ) + hostdev(0),
      ),
    run: everything,
  },
  {
    name: 'serial devices',
    size: 32_000,
    make: (n) => domain(repeat(n, () => "<serial type='pty'/><console type='pty'/>\n") + hostdev(0)),
    run: everything,
  },
  {
    name: 'NUMA cells',
    size: 16_000,
    make: (n) =>
      domain(
        hostdev(0),
        `<cpu><numa>${repeat(n, (i) => `<cell id='${i}' cpus='${i}' memory='1' unit='KiB'/>`)}</numa></cpu>`,
      ),
    run: everything,
  },
  {
    name: 'distances',
    size: 32_000,
    make: (n) =>
      domain(
        hostdev(0),
        `<cpu><numa><cell id='0' cpus='0' memory='1'><distances>${repeat(n, (i) => `<sibling id='${i}' value='10'/>`)}</distances></cell></numa></cpu>`,
      ),
    run: everything,
  },
  {
    name: 'memnodes',
    size: 32_000,
    make: (n) => domain(hostdev(0), `<numatune>${repeat(n, (i) => `<memnode cellid='${i}' nodeset='0'/>`)}</numatune>`),
    run: everything,
  },
  {
    name: 'vCPU pins',
    size: 32_000,
    make: (n) =>
      domain(
        hostdev(0),
        `<cputune>${repeat(n, (i) => `<vcpupin vcpu='${i}' cpuset='0'/>`)}</cputune><cpu><numa><cell id='0' cpus='0-${n}' memory='1'/></numa></cpu>`,
      ),
    run: everything,
  },
  {
    name: 'overrides',
    size: 32_000,
    make: (n) =>
      domain(hostdev(0)).replace(
        '</domain>',
        `<qemu:override>${repeat(n, (i) => `<qemu:device alias='a${i}'><qemu:frontend><qemu:property name='x' type='unsigned' value='1'/></qemu:frontend></qemu:device>`)}</qemu:override></domain>`,
      ),
    run: everything,
  },
  {
    name: 'arguments of QEMU',
    size: 32_000,
    make: (n) =>
      domain(hostdev(0)).replace(
        '</domain>',
        `<qemu:commandline>${repeat(n, () => "<qemu:arg value='-device'/><qemu:arg value='arm-smmuv3'/>")}</qemu:commandline></domain>`,
      ),
    run: everything,
  },
  {
    name: 'attributes',
    size: 32_000,
    make: (n) => domain(`<x ${repeat(n, (i) => ` a${i}=''`)}/>${hostdev(0)}`),
    run: everything,
  },
  {
    name: 'namespaces',
    size: 32_000,
    make: (n) => domain(`<x ${repeat(n, (i) => ` xmlns:a${i}='u'`)}/>${hostdev(0)}`),
    run: everything,
  },
  { name: 'elements', size: 128_000, make: (n) => domain(`${hostdev(0)}<x>${'<y/>'.repeat(n)}</x>`), run: everything },
  {
    name: 'elements beside the devices',
    size: 64_000,
    make: (n) => domain(hostdev(0), '<y/>'.repeat(n)),
    run: everything,
  },
  { name: 'lines', size: 2_000_000, make: (n) => domain(`${'\n'.repeat(n)}${hostdev(0)}`), run: everything },
  {
    name: 'a long comment',
    size: 8_000_000,
    make: (n) => domain(`<!--${'x'.repeat(n)}-->${hostdev(0)}`),
    run: everything,
  },
  {
    name: 'a long value',
    size: 4_000_000,
    make: (n) => domain(`<x y='${'z'.repeat(n)}'/>${hostdev(0)}`),
    run: everything,
  },
  {
    name: 'references',
    size: 500_000,
    make: (n) => domain(`<x>${'&amp;'.repeat(n)}</x>${hostdev(0)}`),
    run: everything,
  },
  { name: 'comments', size: 200_000, make: (n) => domain(`${'<!---->'.repeat(n)}${hostdev(0)}`), run: everything },
  {
    name: 'a record of many elements',
    size: 32_000,
    make: (n) =>
      domain(
        hostdev(0),
        record(
          repeat(n, (i) => `<v:changed element='devices/hostdev[${bdfOf(i)}]' added='driver'/>`),
          "digest='0123456789abcdef'",
        ),
      ),
    run: everything,
  },
  {
    name: 'a record of one long value',
    size: 500_000,
    make: (n) =>
      domain(
        hostdev(0),
        record(`<v:changed element='devices' address.bus='${' '.repeat(n)}'/>`, "digest='0123456789abcdef'"),
      ),
    run: everything,
  },
  {
    name: 'a record of one long path',
    size: 500_000,
    make: (n) =>
      domain(hostdev(0), record(`<v:changed element='devices${'/x'.repeat(n / 2)}!'/>`, "digest='0123456789abcdef'")),
    run: everything,
  },
  {
    name: 'a record of one long text',
    size: 500_000,
    make: (n) =>
      domain(hostdev(0), record(`<v:removed from='devices' text='${' '.repeat(n)}x'/>`, "digest='0123456789abcdef'")),
    run: everything,
  },
  {
    name: 'a snapshot',
    size: 32_000,
    make: (n) => snapshot(n),
    run: (json) => attempt(() => readTopology(json, 'host.json')),
  },
  {
    name: 'a snapshot of expander buses in a chain',
    size: 32_000,
    make: (n) => snapshot(n, { parent: (i) => (i === 0 ? null : bdfOf(i - 1)), bridge: true }),
    run: (json) => attempt(() => readTopology(json, 'host.json')),
  },
  {
    name: 'a policy with a long list',
    size: 200_000,
    make: (n) => JSON.stringify({ bypass: Array.from({ length: n }, (_, i) => bdfOf(i)) }),
    run: (json) => attempt(() => readPolicy(json, 'policy.json')),
  },
  {
    name: 'a policy of many unknown keys',
    size: 200_000,
    make: (n) => `{${Array.from({ length: n }, (_, i) => `"k${i}":1`).join(',')}}`,
    run: (json) => attempt(() => readPolicy(json, 'policy.json')),
  },
  {
    name: 'nested JSON',
    size: 1_000_000,
    make: (n) => '['.repeat(n),
    run: (json) => attempt(() => readPolicy(json, 'policy.json')),
  },
];

const UNGROUPED = readTopology(snapshot(32_000, { group: () => null }), 'host.json');
const ONE_GROUP = readTopology(snapshot(32_000, { group: () => 1 }), 'host.json');

/** Returns the CPU time of the faster of two runs in milliseconds. */
function time({ run }: Shape, input: string): number {
  return Math.min(
    ...[0, 1].map(() => {
      const start = process.cpuUsage();
      run(input);
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    }),
  );
}

const [, , only = '', scale = '1'] = process.argv;
for (const shape of SHAPES.filter(({ name }) => name.includes(only))) {
  const sizes = [4, 2, 1].map((part) => Math.round((shape.size * Number(scale)) / part));
  const times = sizes.map((size) => time(shape, shape.make(size)));
  const [first = 0, , last = 0] = times;
  const exponent = Math.log2(last / first) / 2;
  process.stdout.write(`${shape.name.padEnd(45)} ${exponent.toFixed(2).padStart(6)}  ${Math.round(last)} ms\n`);
}
