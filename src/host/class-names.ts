/** Names of the PCI classes (class and subclass) of devices that guests use, as in `lspci` or shorter. */
const NAMES: Readonly<Record<string, string>> = {
  '00ff': 'unclassified',
  '0100': 'SCSI',
  '0104': 'RAID',
  '0106': 'SATA',
  '0107': 'SAS',
  '0108': 'NVMe',
  '0180': 'storage',
  '0200': 'Ethernet',
  '0207': 'InfiniBand',
  '0280': 'network',
  '0300': 'VGA',
  '0302': '3D',
  '0380': 'display',
  '0401': 'audio',
  '0403': 'audio',
  '0502': 'CXL memory',
  '0601': 'ISA bridge',
  '0700': 'serial',
  '0801': 'DMA',
  '0b40': 'co-processor',
  '0c03': 'USB',
  '0c04': 'FibreChannel',
  '0c05': 'SMBus',
  '1080': 'encryption',
  '1200': 'accelerator',
};

/** Returns a short name of a PCI class, given in the form of sysfs: 0x030200. */
export function classInWords(classCode: string): string {
  const code = classCode.slice(2, 6);
  return NAMES[code] ?? `class ${code}`;
}
