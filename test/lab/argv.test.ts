import { describe, expect, it } from 'vitest';
import { addrText, parseArgv, parseProperties, pciLayout, shellWords } from './argv.js';
import { emulatedMachine } from './emulated.js';

const line = [
  'LC_ALL=C HOME=/x /usr/bin/qemu-system-aarch64 -name guest=a,debug-threads=on -S',
  '-machine virt,gic-version=3,memory-backend=ram,pflash0=code,acpi=on -accel tcg -m size=8388608k',
  `-object '{"qom-type":"memory-backend-file","id":"ram","mem-path":"/dev/hugepages","size":8589934592}'`,
  `-device '{"driver":"pxb-pcie","bus_nr":252,"id":"pci.10","bus":"pcie.0","addr":"0x3"}'`,
  `-device '{"driver":"arm-smmuv3","primary-bus":"pci.10","id":"iommu0","accel":true,"ssidsize":"20"}'`,
  `-device pcie-root-port,id=pci.11,bus=pci.10,addr=0x0.0x1,chassis=11`,
  `-object '{"qom-type":"iommufd","id":"iommufd0"}'`,
  `-device '{"driver":"vfio-pci","id":"hostdev0","iommufd":"iommufd0","bus":"pci.11","addr":"0x0"}'`,
].join(' ');

describe('the command line that libvirt makes', () => {
  it('is split as a shell splits it', () => {
    expect(shellWords(`a 'b c' d\\ e "f \\"g\\"" ''`)).toEqual(['a', 'b c', 'd e', 'f "g"', '']);
  });

  it('is read without its environment and program name', () => {
    expect(parseArgv(line).slice(0, 2)).toEqual([
      { name: '-name', value: 'guest=a,debug-threads=on' },
      { name: '-S', value: undefined },
    ]);
  });

  it('has properties as JSON or comma-separated, with a doubled comma for a comma', () => {
    expect(parseProperties('nvme,serial=a,,b,bus=x', 'driver')).toEqual({ driver: 'nvme', serial: 'a,b', bus: 'x' });
    expect(parseProperties('{"driver":"nvme"}', 'driver')).toEqual({ driver: 'nvme' });
  });

  it('shows expander buses, SMMUs, ports and host devices', () => {
    const layout = pciLayout(parseArgv(line));
    expect(layout).toEqual({
      expanderBuses: [{ id: 'pci.10', busNr: 252, numaNode: undefined }],
      smmus: [{ expanderBus: 'pci.10', accel: true, position: 1 }],
      ports: [{ id: 'pci.11', bus: 'pci.10', addr: '0x0.0x1', chassis: 11 }],
      hostDevices: [{ index: 0, host: undefined, bus: 'pci.11', addr: '0x0', iommufd: true, position: 3 }],
    });
    expect(addrText(0, 1)).toBe('0x0.0x1');
  });

  it('boots without the hardware if QEMU emulates the host devices and the SMMU', () => {
    const machine = emulatedMachine(parseArgv(line));
    expect(machine).not.toContain('-S');
    expect(machine.join(' ')).not.toMatch(/vfio|iommufd|accel":|ssidsize|pflash|hugepages/);
    expect(machine).toContain('{"driver":"arm-smmuv3","primary-bus":"pci.10","id":"iommu0"}');
    expect(machine.at(-1)).toContain('"subsys":1,"id":"hostdev0","bus":"pci.11","addr":"0x0"');
    expect(machine[machine.indexOf('-m') + 1]).toBe('size=2097152k');
  });
});
