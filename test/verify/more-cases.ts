import { changedHost, GPU, gpu, hostLog, inReport, NVME, nvme, qemuLog, withDevice, without } from './cases.js';
import type { Changes } from './running.js';

const [event, client] = ['arm-smmu-v3 arm-smmu-v3.8.auto: event: F_TRANSLATION', 'sid: 0x100 ssid: 0x0'];
const OLD_EVENT = 'arm-smmu-v3 arm-smmu-v3.8.auto: event 0x10 received:';
const TIMEOUT = 'arm-smmu-v3 arm-smmu-v3.8.auto: CMD_SYNC timeout at 0x00000047';
const numbered = (n: number, lineOf: (i: number) => string) => Array.from({ length: n }, (_, i) => lineOf(i));
const logOf =
  (...texts: readonly string[]) =>
  (report: string) =>
    report.replace('\nend\n', `\n${texts.map((text) => `log ${text}`).join('\n')}\nend\n`);
const anySmmu = (...texts: readonly string[]) => ({ hostLog: { ...hostLog(...texts).hostLog, smmus: undefined } });
const firstCell = (xml: string, change: (cell: string) => string) => xml.replace(/<cell id='0'[^>]*>/, change);

/** More differences. `test/fixtures/verify/findings.txt` has the output of verify for each. */
export const MORE: readonly (readonly [title: string, changes: Changes])[] = [
  ['one event twice', { more: hostLog(TIMEOUT, TIMEOUT) }],
  ['many events', { more: hostLog(...numbered(12, (i) => `${TIMEOUT}${i}`)) }],
  ['an event at the start', { more: { hostLog: { ...hostLog(TIMEOUT).hostLog, since: 100 } } }],
  ['an event of an unknown device', { more: hostLog(`${event} client: (unassigned sid) ${client}`) }],
  [
    'an event of an unknown device of another SMMU',
    { more: hostLog(`${event.replace('8.auto', '9.auto')} client: (unassigned sid)`) },
  ],
  ['an event without its words', { more: hostLog(OLD_EVENT) }],
  ['an event without its words, of another SMMU', { more: hostLog(OLD_EVENT.replace('8.auto', '9.auto')) }],
  ['an event without its words, of unknown SMMUs', { more: anySmmu(OLD_EVENT.replace('8.auto', '9.auto')) }],
  [
    'an event with a base in its stream ID',
    { more: hostLog(OLD_EVENT, 'arm-smmu-v3 arm-smmu-v3.8.auto:  0x0009010000000010') },
  ],
  [
    'an event of the function beside it',
    { more: hostLog(OLD_EVENT, 'arm-smmu-v3 arm-smmu-v3.8.auto:  0x0009010100000010') },
  ],
  [
    'an event of the slot beside it',
    { more: hostLog(OLD_EVENT, 'arm-smmu-v3 arm-smmu-v3.8.auto:  0x0009010800000010') },
  ],
  [
    'a reset of another device',
    { more: hostLog('vfio-pci 0006:02:00.0: vfio_bar_restore: reset recovery - restoring BARs') },
  ],
  ['a time-out of an unknown SMMU', { more: anySmmu(TIMEOUT.replace('8.auto', '9.auto')) }],
  [
    'control characters in the host log',
    { more: hostLog(`vfio-pci 0006:01:00.0: reset recovery \u001b[2J${'x'.repeat(400)}`) },
  ],
  [
    'many errors of QEMU',
    { more: qemuLog(...numbered(12, (i) => `2026-11-24T12:00:01Z qemu-system-aarch64: error attach ${i % 10}`)) },
  ],
  ['a log without a start', { more: { qemuLog: 'error attach x\n' } }],
  ['a monitor without an answer', { more: { monitor: { pci: { error: {} }, accel: [] } } }],
  [
    'a monitor with other values',
    { more: { monitor: { pci: { return: [{}, null, { devices: [{ qdev_id: '' }, 7] }] }, accel: [1, null] } } },
  ],

  ['fewer SMMUs in the guest', { report: (text) => text.replace(/^smmu \S+c040000 .*\n/m, '') }],
  ['one SMMU in the guest', { report: (text) => text.replace(/^smmu \S+c0[24]0000 .*\n/gm, '') }],
  [
    'a device behind an SMMU that should be behind none',
    { live: (xml) => xml.replace(/<iommu (?:(?!<\/iommu>)[\s\S])*oas=[\s\S]*?<\/iommu>/, '') },
  ],
  [
    'a host that does not know a device',
    { host: changedHost(({ devices }) => ({ devices: devices.filter(({ bdf }) => bdf !== GPU) })) },
  ],
  [
    'capabilities that are off without a driver',
    {
      report: (text) => inReport(gpu, 'ats=on pasid=on', 'ats=off pasid=off')(inReport(gpu, ' driver=nvme', '')(text)),
    },
  ],
  ['capabilities that are off', { report: inReport(gpu, 'ats=on pasid=on', 'ats=off pasid=off') }],
  ['capabilities that a device does not have', { report: inReport(gpu, 'ats=on pasid=on', 'ats=none pasid=none') }],
  [
    'two drivers and two types',
    {
      report: (text) => inReport(nvme, 'type=DMA-FQ', 'type=DMA')(inReport(gpu, 'driver=nvme', 'driver=nvidia')(text)),
    },
  ],
  ['no line about an SMMU in the log', { report: (text) => text.replace(/^log .*v3\.[012]\.auto.*\n/gm, '') }],
  ['no line about one SMMU in the log', { report: (text) => text.replace(/^log .*v3\.0\.auto.*\n/gm, '') }],
  ['command queues that the guest does not find', { live: (xml) => xml.replace("oas='48'", "oas='48' cmdqv='on'") }],
  [
    'command queues that the guest finds',
    {
      live: (xml) => xml.replace("oas='48'", "oas='48' cmdqv='on'"),
      report: logOf('arm-smmu-v3 arm-smmu-v3.2.auto: found companion CMDQV device: NVDA200C:00'),
    },
  ],
  ['more bits in the guest', { report: (text) => text.replace(/oas 48-bit(?=.*00020)/, 'oas 52-bit') }],
  ['a domain without cells', { live: (xml) => xml.replace(/<numa>[\s\S]*<\/numa>/, '') }],
  ['other CPUs in a node', { report: (text) => text.replace(/^node 0 cpus=\S*/m, 'node 0 cpus=77') }],
  ['a distance that only one cell has', { live: (xml) => xml.replace(/<sibling id='0' value='\d+'\/>\s*/g, '') }],
  [
    'many errors in the guest',
    {
      report: logOf(...numbered(12, (i) => `[    9.${i}] arm-smmu-v3 arm-smmu-v3.0.auto: CMD_SYNC timeout ${i % 10}`)),
    },
  ],
  ['an NVMe drive that does not answer', { report: logOf('[    9.1] nvme nvme0: Identify Controller failed (-4)') }],
  [
    'an NVMe drive that the domain does not have',
    {
      host: withDevice(NVME, { class: '0x020000' }),
      report: logOf('[    9.1] nvme nvme0: Identify Controller failed (-4)'),
    },
  ],
  ['a line about a device that is no error', { report: logOf(`[    9.1] nvme ${nvme}: enabling device`) }],

  ['a device attached since', { argv: (argv) => argv.filter((word) => !word.includes('"hostdev1"')) }],
  [
    'an expander bus that QEMU does not have',
    { argv: (argv) => argv.filter((word) => !word.includes('"bus_nr":247')) },
  ],
  ['no SMMU', { argv: (argv) => argv.filter((word) => !word.includes('arm-smmuv3')) }],
  [
    'a device without a bus',
    { argv: (argv) => argv.map((word) => (word.includes('"hostdev1"') ? word.replace(/,"bus":"[^"]*"/, '') : word)) },
  ],
  [
    'a device in a function',
    {
      argv: (argv) =>
        argv.map((word) => (word.includes('"hostdev1"') ? word.replace('"addr":"0x0"', '"addr":"0x0.0x2"') : word)),
    },
  ],
  [
    'a port elsewhere',
    {
      argv: (argv) =>
        argv.map((word) => (word.includes('pcie-root-port') ? word.replace('"addr":"0x0"', '"addr":"0x3"') : word)),
    },
  ],
  ['a comma in a value', { argv: (argv) => [...argv, '-device', 'arm-smmuv3,primary-bus=a,,b,accel,id=x'] }],
  [
    'an expander bus with another number at the next start',
    { next: (xml) => xml.replace(/busNr='247'/, "busNr='246'") },
  ],
  [
    'an SMMU for the machine at the next start',
    { next: (xml) => xml.replace('</devices>', "<iommu model='smmuv3'/></devices>") },
  ],
  [
    'another address at the next start',
    { next: (xml) => xml.replace(/(<hostdev[\s\S]*?<\/source>\s*<address [^>]*slot=')0x00/, '$10x01') },
  ],
  ['no iommufd at the next start', { next: (xml) => xml.replace(/<iommufd[^>]*\/>/, '') }],
  ['a device detached that is no longer defined', { live: without(GPU), next: without(NVME) }],
  ['a value that the policy sets', { live: (xml) => xml.replace("oas='48'", "oas='44'") }],
  ['an expander bus on another cell', { live: (xml) => xml.replace(/(<target busNr='247'>\s*<node>)\d+/, '$15') }],
  [
    'no cells for the memory of a GPU',
    { live: (xml) => firstCell(xml, (cell) => cell).replace(/<acpi nodeset=[^>]*\/>/g, '') },
  ],
];
