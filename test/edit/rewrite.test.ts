import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { hostWith } from '../plan/example.js';

const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: null } });

const domain = (devices: string): string =>
  `<domain type='kvm'>
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <features><acpi/></features>
  <devices>
${devices}
  </devices>
</domain>
`;

function rewritten(xml: string, policy: Partial<Policy> = {}): string {
  const read = parseDomain(xml);
  return rewrite(read, plan(read, host, { ...DEFAULT_POLICY, ...policy }).plan);
}

/** Removes the record in `<metadata>`, which has its own tests. */
function withoutRecord(xml: string): string {
  return xml.replace(/ *<metadata>[\s\S]*<\/metadata>\n/, '');
}

const HOSTDEV = `    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address bus='1'/>
      </source>
    </hostdev>`;

/** The lines of the rewritten text that are not in the input, in order. */
function added(xml: string, policy: Partial<Policy> = {}): string[] {
  const before = xml.split('\n');
  return withoutRecord(rewritten(xml, policy))
    .split('\n')
    .filter((line) => !before.includes(line))
    .map((line) => line.trim());
}

describe('the rewritten text', () => {
  it('equals the input if nothing changes', () => {
    const odd = `<?xml version="1.0"?>\n<!-- a --><domain\ttype = "kvm"><os><type arch='x86_64'>hvm</type></os></domain>\n\n`;
    expect(rewritten(odd)).toBe(odd);
  });

  it('has the line ends of the document', () => {
    const out = rewritten(domain(HOSTDEV).replaceAll('\n', '\r\n'));
    expect(out.split('\r\n').length).toBeGreaterThan(20);
    expect(out.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it('keeps comments, CDATA, processing instructions and entities in place', () => {
    const kept = ['<!-- <hostdev/> -->', '<?keep this?>', "<note a='&lt;&#x41;'><![CDATA[ ]] > <x> ]]></note>"];
    const xml = domain(`    ${kept.join('\n    ')}\n${HOSTDEV}`);
    const lines = withoutRecord(rewritten(xml)).split('\n');
    expect(kept.map((line) => lines.indexOf(`    ${line}`))).toEqual([4, 5, 6]);
  });

  it('stays on one line if the document is one line', () => {
    const out = rewritten(domain(HOSTDEV).replaceAll(/\n\s*/g, ''));
    expect(out).not.toContain('\n');
    expect(out).toContain("<driver iommufd='yes'/><source>");
  });

  it('has new controllers after the last PCI controller, and new SMMUs after the last SMMU or at the end', () => {
    const xml = domain(
      `    <controller type='pci' index='0' model='pcie-root'/>
${HOSTDEV}
    <iommu model='smmuv3'>
      <driver pciBus='0'/>
    </iommu>
    <memballoon model='none'/>`,
    );
    const names = withoutRecord(rewritten(xml)).matchAll(/^ {4}<(\w+)/gm);
    expect([...names].map(([, name]) => name)).toEqual([
      'controller',
      'controller',
      'controller',
      'controller',
      'hostdev',
      'iommu',
      'iommu',
      'memballoon',
    ]);
  });
});

it('a virtio IOMMU stays after the new SMMUs, as QEMU requires', () => {
  const xml = domain(`    <controller type='pci' index='0' model='pcie-root'/>
${HOSTDEV}
    <iommu model='virtio'/>`);
  const models = rewritten(xml).matchAll(/<iommu model='(\w+)'/g);
  expect([...models].map(([, model]) => model)).toEqual(['smmuv3', 'virtio']);
});

describe('a placed device', () => {
  const device = (inner: string): string =>
    `    <hostdev mode='subsystem' type='pci'>\n      ${inner}\n      <source>\n        <address bus='1'/>\n      </source>\n    </hostdev>`;

  it.each([
    ['with a <driver> keeps its attributes', "<driver name='vfio'/>", "<driver name='vfio' iommufd='yes'/>"],
    ['gets iommufd="yes" instead of "no"', "<driver iommufd='no' name='vfio'/>", "<driver iommufd='yes' name='vfio'/>"],
    ['keeps the double quotes of its <driver>', '<driver iommufd="no"/>', '<driver iommufd="yes"/>'],
    ['keeps the children of its <driver>', "<driver><x a='1'/></driver>", "<driver iommufd='yes'><x a='1'/></driver>"],
  ])('%s', (_title, before, after) => {
    expect(added(domain(device(before)))).toContain(after);
  });

  it('is not changed if it needs nothing', () => {
    const once = rewritten(domain(HOSTDEV));
    expect(rewritten(once)).toBe(once);
  });

  it('keeps the attributes of its address whose values do not change', () => {
    const address = "<address type='pci' bus='0x09' slot='00' function='0x0'/>";
    const [edited] = added(domain(device(address))).filter((line) => line.includes("slot='00'"));
    expect(edited).toBe("<address type='pci' bus='0x0c' slot='00' function='0x0' domain='0x0000'/>");
  });

  it('on bus 010 gets bus 10, since libvirt reads 010 as 8', () => {
    const xml = domain(
      `    <controller type='pci' index='8' model='pcie-root-port'/>
${device("<address type='pci' bus='010'/>")}`,
    );
    expect(added(xml)).toContain("<address type='pci' bus='0x0a' domain='0x0000' slot='0x00' function='0x0'/>");
  });
});

describe('an existing vSMMU', () => {
  const expanderBus = (driver: string): string =>
    domain(
      `    <controller type='pci' index='1' model='pcie-expander-bus'>
      <target busNr='200'/>
      <address type='pci' slot='1'/>
    </controller>
    <controller type='pci' index='2' model='pcie-root-port'>
      <address type='pci' bus='1'/>
    </controller>
    <hostdev mode='subsystem' type='pci'>
      <driver iommufd='yes'/>
      <source>
        <address bus='1'/>
      </source>
      <address type='pci' bus='2'/>
    </hostdev>
    <iommu model='smmuv3'>
      ${driver}
    </iommu>`,
    );

  it.each<[title: string, driver: string, policy: Partial<Policy>, after: string[]]>([
    ['is left unchanged if it is valid', "<driver pciBus='1' accel='on'/>", {}, []],
    ['is accelerated', "<driver pciBus='1'/>", {}, ["<driver pciBus='1' accel='on'/>"]],
    ['is accelerated if accel was off', "<driver pciBus='1' accel='off'/>", {}, ["<driver pciBus='1' accel='on'/>"]],
    ['keeps values that the policy does not set', "<driver pciBus='1' accel='on' oas='44'/>", {}, []],
    [
      'gets the values of the policy',
      "<driver pciBus='1' accel='on' oas='44'/>",
      { oas: 48, ats: 'on' },
      ["<driver pciBus='1' accel='on' oas='48' ats='on'/>"],
    ],
  ])('%s', (_title, driver, policy, after) => {
    expect(added(expanderBus(driver), policy)).toEqual(after);
  });
});
