/** Facts about what QEMU accepts and refuses at start, without the hardware. */
import { type Fact, qemuSays, virt } from './fact.js';

const expanderBus = '-device pxb-pcie,id=p,bus_nr=247,bus=pcie.0';

/** `count` expander buses with an SMMU each. */
function expanderBuses(count: number): string {
  const each = (index: number) =>
    `-device pxb-pcie,id=p${index},bus_nr=${20 + 10 * index},bus=pcie.0 -device arm-smmuv3,primary-bus=p${index}`;
  return Array.from({ length: count }, (_, index) => each(index)).join(' ');
}

function says(title: string, words: string, expected: string | RegExp): Fact {
  return { title, see: (lab) => qemuSays(lab, words), expected };
}

export const qemuFacts: readonly Fact[] = [
  {
    title: 'the help of arm-smmuv3 lists accel, ats, cmdqv, oas, ril and ssidsize',
    see: async (lab) => {
      const help = await lab.jail.output(['qemu-system-aarch64', '-M', 'virt', '-device', 'arm-smmuv3,help']);
      return [...help.matchAll(/^ {2}(accel|ats|cmdqv|oas|ril|ssidsize)=/gm)].map((match) => match[1]).join(' ');
    },
    expected: 'accel ats cmdqv oas ril ssidsize',
  },
  says('an SMMU on an expander bus starts', `${virt} ${expanderBus} -device arm-smmuv3,primary-bus=p`, 'starts'),
  says(
    'an SMMU on an expander bus of virt-6.2 starts',
    `-M virt-6.2,gic-version=3 -cpu cortex-a72 ${expanderBus} -device arm-smmuv3,primary-bus=p`,
    'starts',
  ),
  says(
    'a machine-wide SMMU together with an SMMU on a bus is refused',
    `${virt} -M iommu=smmuv3 ${expanderBus} -device arm-smmuv3,primary-bus=p`,
    /virt machine already has iommu=smmuv3 set\. Doesn't support incompatible iommus/,
  ),
  says(
    'two SMMUs on one bus are refused',
    `${virt} ${expanderBus} -device arm-smmuv3,primary-bus=p,id=a -device arm-smmuv3,primary-bus=p,id=b`,
    /An iommu is already attached to this bus/,
  ),
  says(
    'an SMMU on a root port is refused',
    `${virt} -device pcie-root-port,id=r,bus=pcie.0,chassis=1 -device arm-smmuv3,primary-bus=r`,
    /SMMU should be attached to a default PCIe root complex\(pcie\.0\) or a pxb-pcie based root complex/,
  ),
  says('sixteen SMMUs start', `${virt} ${expanderBuses(16)}`, 'starts'),
  says('seventeen SMMUs do not start', `${virt} ${expanderBuses(17)}`, /Can not fit IRQ line/),
  says(
    'sixteen SMMUs and one on pcie.0 do not start',
    `${virt} ${expanderBuses(16)} -device arm-smmuv3,primary-bus=pcie.0`,
    /^(?!starts)/,
  ),
  says(
    'acceleration needs KVM',
    `${virt} ${expanderBus} -device arm-smmuv3,primary-bus=p,accel=on`,
    /SMMUv3 accel=on requires KVM with kernel-irqchip=on support/,
  ),
  says(
    'oas is 44 or 48',
    `${virt} ${expanderBus} -device arm-smmuv3,primary-bus=p,oas=46`,
    /does not accept value '46'/,
  ),
  says(
    'ssidsize is at most 20',
    `${virt} ${expanderBus} -device arm-smmuv3,primary-bus=p,ssidsize=21`,
    /does not accept value '21'/,
  ),
  says(
    'ats needs accel',
    `${virt} ${expanderBus} -device arm-smmuv3,primary-bus=p,ats=on`,
    /ats can only be enabled if accel=on/,
  ),
  says(
    'two expander buses with one number are refused',
    `${virt} ${expanderBus} -device pxb-pcie,id=q,bus_nr=247,bus=pcie.0`,
    /Bus 247 is already in use/,
  ),
  says(
    'two root ports with one chassis are refused',
    `${virt} -device pcie-root-port,bus=pcie.0,chassis=1 -device pcie-root-port,bus=pcie.0,chassis=1`,
    /Can't add chassis slot, error -16/,
  ),
  says(
    'the MMIO window is a power of two',
    '-M virt,highmem-mmio-size=768G -cpu cortex-a72',
    /highmem-mmio-size is not a power of 2/,
  ),
  says(
    'the MMIO window is at least 512 GiB',
    '-M virt,highmem-mmio-size=256G -cpu cortex-a72',
    /highmem-mmio-size cannot be set to a lower value than the default \(512 GiB\)/,
  ),
  says('a window beyond the address space is no error', '-M virt,highmem-mmio-size=16T -cpu cortex-a72', 'starts'),
  says(
    'a Generic Initiator needs its node',
    `${virt} -m 1G -object memory-backend-ram,id=m,size=1G -numa node,memdev=m -device e1000e,id=e,romfile= -object acpi-generic-initiator,id=g,pci-dev=e,node=5`,
    /Specified node 5 is invalid/,
  ),
];
