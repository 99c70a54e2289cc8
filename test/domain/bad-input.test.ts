import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-bad-input-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HOST_A = ['--topology', 'samples/hosts/host-a.json'];
const MIB = 2 ** 20;

const hostdev = (source: string, rest = ''): string =>
  `<hostdev mode='subsystem' type='pci'><source><address ${source}/></source>${rest}</hostdev>`;

const port = (index: number): string => `<controller type='pci' index='${index}' model='pcie-root-port'/>`;

const NVME = hostdev("bus='0x91'");

interface Wish {
  readonly type?: string;
  readonly features?: string;
}

const domain = (devices: string, { type = 'kvm', features = '<acpi/>' }: Wish = {}): string =>
  `<domain type='${type}'><os><type arch='aarch64' machine='virt'>hvm</type></os>
<features>${features}</features>
<devices>
${devices}
</devices></domain>
`;

interface Refusal {
  readonly input: string | Buffer;
  readonly code: number;
  readonly message: string;
  readonly options?: readonly string[];
}

/** Runs `vsmmu rewrite -i` on a new file. */
function rewriteInPlace(input: string | Buffer, options: readonly string[]) {
  const file = join(folder, 'domain.xml');
  writeFileSync(file, input);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'bin/vsmmu'), 'rewrite', '-i', '--backup', '.orig', ...options, file],
    { cwd: ROOT, env: {}, encoding: 'utf8' },
  );
  return { status, stdout, lines: stderr.replaceAll(folder, '').split('\n').slice(0, -1), after: readFileSync(file) };
}

const refusals: Readonly<Record<string, Refusal>> = {
  'text that is not XML': { input: 'a domain', code: 2, message: 'error: xml-syntax: ' },
  'an empty file': { input: '', code: 2, message: 'error: xml-syntax: ' },
  'a document cut off in the middle': { input: domain(NVME).slice(0, 120), code: 2, message: 'error: xml-syntax: ' },
  'two roots': { input: `${domain(NVME)}<domain/>`, code: 2, message: ':6:1: error: xml-syntax: ' },
  'another root': { input: '<network/>', code: 2, message: ':1:1: error: domain-root: ' },
  'a domain of another namespace': { input: "<domain xmlns='urn:x'/>", code: 2, message: ':1:1: error: domain-root: ' },
  'a DOCTYPE': {
    input: `<!DOCTYPE domain [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n${domain('&a;')}`,
    code: 2,
    message: ':1:1: error: xml-doctype: ',
  },
  'more than 16 MiB': {
    input: Buffer.alloc(16 * MIB + 1, `${domain(NVME)}${' '.repeat(MIB)}`),
    code: 2,
    message: 'error: xml-too-large: ',
  },
  'text that is not UTF-8': {
    input: Buffer.from(domain(`<!-- caf\xe9 -->${NVME}`), 'latin1'),
    code: 2,
    message: 'error: xml-encoding: ',
  },
  'a slot over 31': {
    input: domain(hostdev("bus='0x91' slot='0x20'")),
    code: 2,
    message: ":4:46: error: address-invalid: slot='0x20' is not a PCI slot; give a number from 0x0 to 0x1f",
  },
  'a function over 7': {
    input: domain(hostdev("bus='0x91' function='9'")),
    code: 2,
    message: ":4:46: error: address-invalid: function='9' is not a PCI function; give a number from 0x0 to 0x7",
  },
  'an invalid guest address': {
    input: domain(hostdev("bus='0x91'", "<address type='pci' bus='0x01' slot='0x20'/>")),
    code: 2,
    message: ":4:76: error: address-invalid: slot='0x20' is not a PCI slot; give a number from 0x0 to 0x1f",
  },
  'a pcie-root with another index than 0, here 8 in octal': {
    input: domain(`<controller type='pci' index='010' model='pcie-root'/>\n${NVME}`),
    code: 2,
    message: ":4:1: error: number-invalid: index='010' of pcie-root is 8, and libvirt accepts only 0",
  },
  'more controllers than there are indexes': {
    input: domain(`${"<controller type='pci' model='pcie-root-port'/>\n".repeat(256)}${NVME}`),
    code: 2,
    message: ':259:1: error: number-invalid: more than 256 PCI controllers, which libvirt refuses',
  },
  'a value of 100 KB, without repeating all of it': {
    input: domain(hostdev(`bus='${'9'.repeat(100_000)}'`)),
    code: 2,
    message: `${'9'.repeat(400)}`,
  },
  'two controllers with one index': {
    input: domain(`${port(1)}\n${port(1)}\n${NVME}`),
    code: 2,
    message: ':5:1: error: controller-index-duplicate: PCI controller index 1 is already used in line 4',
  },
  'two devices at one guest address': {
    input: domain(
      `${hostdev("bus='0x91'", "<address type='pci' bus='1'/>")}\n${hostdev("bus='0x92'", "<address type='pci' bus='01'/>")}`,
    ),
    code: 2,
    message: ':5:1: error: guest-address-duplicate: guest address 01:00.0 is already used in line 4',
  },
  'one host device twice': {
    input: domain(`${NVME}\n${NVME}`),
    code: 2,
    message: ':5:1: error: host-device-duplicate: host device 0000:91:00.0 is already in the domain, in line 4',
  },
  'a device that the host does not have': {
    input: domain(hostdev("bus='0xaa'")),
    code: 1,
    message: ':4:1: error: device-missing: 0000:aa:00.0 is not on this host',
  },
  'a host without an SMMUv3': {
    input: domain(hostdev("bus='0x01'")),
    code: 1,
    message: ':1:1: error: host-without-smmu: ',
    options: ['--topology', 'samples/hosts/x86.json'],
  },
  'a domain without KVM': {
    input: domain(NVME, { type: 'qemu' }),
    code: 1,
    message: ':1:1: error: domain-without-kvm: ',
  },
  'a domain without ACPI': {
    input: domain(NVME, { features: '' }),
    code: 1,
    message: ':1:1: error: domain-without-acpi: ',
  },
  'too few bus numbers': {
    input: domain(NVME),
    code: 1,
    message: ':1:1: error: bus-numbers-exhausted: ',
    options: [...HOST_A, '--bus-window', '255'],
  },
};

describe('rewrite in place refuses, in one line, and writes nothing:', () => {
  it.each(Object.entries(refusals))('%s', (_title, { input, code, message, options = HOST_A }) => {
    const { status, stdout, lines, after } = rewriteInPlace(input, options);
    expect(lines).toEqual([expect.stringContaining(message)]);
    expect(lines[0]).toMatch(/^\/domain\.xml(:\d+:\d+)?: error: .{1,4200}$/);
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    expect(after.equals(Buffer.from(input))).toBe(true);
    expect(readdirSync(folder)).toEqual(['domain.xml']);
  });
});

describe('rewrite in place accepts', () => {
  it('an octal slot and a source without a PCI domain', () => {
    const input = domain(hostdev("bus='0x91'", "<address type='pci' slot='010'/>"));
    const { status, stdout, after } = rewriteInPlace(input, HOST_A);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(after.toString()).toContain("<driver pciBus='2' accel='on'/>");
    expect(readFileSync(join(folder, 'domain.xml.orig'), 'utf8')).toBe(input);
  });
});
