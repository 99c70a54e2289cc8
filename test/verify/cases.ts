import { busNumbersExhausted } from '../../src/diagnostics/expander-buses.js';
import type { PciDevice, Topology } from '../../src/generated/topology.js';
import type { Host } from '../../src/host/host.js';
import { readTopology } from '../../src/host/snapshot.js';
import { addressesOfGuest, type Changes, host, monitorOf } from './running.js';

/** Differences from a healthy guest, one at a time. */

export const GPU = '0009:01:00.0';
export const NVME = '0006:01:00.0';
export const { [GPU]: gpu = '', [NVME]: nvme = '' } = addressesOfGuest;

/** The hosts of the sample. */
export const changedHost = (change: (topology: Topology) => Partial<Topology>): Host =>
  readTopology(JSON.stringify({ ...host.topology, ...change(host.topology) }), 'changed.json');
export const withDevice = (bdf: string, change: Partial<PciDevice>): Host =>
  changedHost(({ devices }) => ({
    devices: devices.map((each) => (each.bdf === bdf ? { ...each, ...change } : each)),
  }));
const GPU_SMMU = 'smmu3.0x0000000016000000';
const MOVED = 'smmu3.0x0000000017000000';
const movedSmmu = changedHost(({ smmus, devices }) => ({
  smmus: smmus.map((smmu) => (smmu.name === GPU_SMMU ? { ...smmu, name: MOVED } : smmu)),
  devices: devices.map((device) => (device.smmu === GPU_SMMU ? { ...device, smmu: MOVED } : device)),
}));

/** The element of a host device. */
const elementOf = (xml: string, bdf: string): string => {
  const [, domain, bus] = /^(....):(..)/.exec(bdf) ?? [];
  const elements = xml.match(/[ ]*<(hostdev|interface type='hostdev')[\s\S]*?<\/(hostdev|interface)>\n/g) ?? [];
  return elements.find((each) => each.includes(`domain='0x${domain}' bus='0x${bus}'`)) ?? '';
};
export const without = (bdf: string) => (xml: string) => xml.replace(elementOf(xml, bdf), '');
export const line = (address: string) => new RegExp(`^pci ${address} .*$`, 'm');
export const inReport = (address: string, from: RegExp | string, to: string) => (text: string) =>
  text.replace(line(address), (found) => found.replace(from, to));
const withLog = (text: string) => (report: string) => report.replace('\nend\n', `\nlog ${text}\nend\n`);
export const qemuLog = (...lines: readonly string[]) => ({
  qemuLog: `2026-11-24 12:00:00.000+0000: starting up libvirt version: 12.8.0\n${lines.join('\n')}\n`,
});
export const hostLog = (...texts: readonly string[]) => ({
  hostLog: { log: texts.map((text) => ({ seconds: 100, text })), since: 50, smmus: ['arm-smmu-v3.8.auto'] },
});
const AT_START = qemuLog('-device \'{"driver":"arm-smmuv3","cmdqv":"auto"}\'', 'char device redirected');

/** A command line as older versions of libvirt write it. */
const withoutJson = (argv: readonly string[]) =>
  argv.map((word) => {
    if (!word.startsWith('{')) return word;
    const { driver, ...properties } = JSON.parse(word) as Record<string, unknown>;
    const words = Object.entries(properties).map(([key, value]) =>
      value === true ? key : `${key}=${value === false ? 'off' : String(value).replaceAll(',', ',,')}`,
    );
    return [driver, ...words].join(',');
  });

/** Single differences, each with the checks that fail. */
export const CASES: readonly (readonly [title: string, changes: Changes, wrong: Readonly<Record<string, string[]>>])[] =
  [
    ['nothing', {}, {}],

    // The definition
    ['an SMMU that moved', { host: movedSmmu }, { "Domain: that the host's SMMUs are the same": ['smmu-moved'] }],
    [
      'a device that the host no longer has',
      { host: changedHost(({ devices }) => ({ devices: devices.filter(({ bdf }) => bdf !== NVME) })) },
      { 'Domain: that each device is behind its vSMMU': ['device-missing'] },
    ],
    [
      'a device that is not alone in its group',
      { host: withDevice('0006:00:00.0', { group: host.device(NVME as never)?.group ?? null }) },
      { 'Domain: that each device is behind its vSMMU': ['group-behind-vsmmu'] },
    ],
    [
      'a definition edited while it runs',
      { next: (xml) => xml.replace("oas='48'", "oas='44'") },
      { 'Domain: that the next start changes nothing': ['next-start-differs', 'next-start-differs'] },
    ],
    [
      'a device that is detached',
      { live: (xml) => without(NVME)(xml) },
      { 'Domain: for devices detached since its start': ['device-unplugged'] },
    ],
    [
      'a device that is detached for the next start, too',
      { live: without(NVME), next: without(NVME) },
      { 'Domain: for devices detached since its start': ['device-unplugged'] },
    ],
    [
      'a device that the next start will not have',
      { next: without(NVME) },
      { 'Domain: that the next start changes nothing': ['next-start-differs'] },
    ],
    ['a domain that is not defined', { more: { next: undefined } }, {}],
    [
      'other space for BARs than planned',
      { live: (xml) => xml.replace(/<pcihole64.*<\/pcihole64>/, "<pcihole64 unit='KiB'>536870912</pcihole64>") },
      { 'Domain: that the rest matches the plan': ['pcihole64-too-small', 'plan-differs'] },
    ],

    // QEMU
    [
      'a QEMU that is not found',
      { more: { qemu: undefined, qemuProblem: 'no process has the UUID of the domain' } },
      { 'QEMU: its command line': ['qemu-not-found'] },
    ],
    [
      'an SMMU without acceleration',
      { argv: (argv) => argv.map((word) => word.replace('"accel":true', '"accel":false')) },
      { 'QEMU: the SMMUs on its command line': ['qemu-smmu-differs', 'qemu-smmu-differs', 'qemu-smmu-differs'] },
    ],
    [
      'a missing value',
      { argv: (argv) => argv.map((word) => word.replace(',"oas":"48"', '')) },
      { 'QEMU: the SMMUs on its command line': ['qemu-smmu-differs'] },
    ],
    [
      "the names of NVIDIA's libvirt and QEMU",
      {
        live: (xml) => xml.replaceAll("ssidsize='20'", "cmdqv='off' pasid='on'"),
        next: (xml) => xml.replaceAll("ssidsize='20'", "cmdqv='off' ssidsize='16'"),
        argv: (argv) => argv.map((word) => word.replace('"ssidsize":"20"', '"tegra241-cmdqv":false,"pasid":true')),
      },
      {},
    ],
    [
      'an additional SMMU',
      { argv: (argv) => [...argv, '-device', 'arm-smmuv3,primary-bus=pcie.0,id=iommu9'] },
      { 'QEMU: the SMMUs on its command line': ['qemu-smmu-differs'] },
    ],
    [
      'a missing SMMU',
      { argv: (argv) => argv.filter((word) => !word.includes('"id":"iommu2"')) },
      { 'QEMU: the SMMUs on its command line': ['qemu-smmu-differs'] },
    ],
    [
      'a device in another slot',
      {
        argv: (argv) =>
          argv.map((word) => (word.includes('"hostdev1"') ? word.replace('"addr":"0x0"', '"addr":"0x1"') : word)),
      },
      { 'QEMU: the devices on its command line': ['qemu-device-differs'] },
    ],
    [
      'an expander bus with another number',
      { argv: (argv) => argv.map((word) => word.replace('"bus_nr":247', '"bus_nr":246')) },
      { 'QEMU: the devices on its command line': ['qemu-device-differs'] },
    ],
    ['the command line of an older libvirt', { argv: withoutJson }, {}],
    [
      'the command line of an older libvirt, with another slot',
      {
        argv: (argv) =>
          withoutJson(argv).map((word) => (word.includes('=hostdev1,') ? word.replace('addr=0x0', 'addr=0x1') : word)),
      },
      { 'QEMU: the devices on its command line': ['qemu-device-differs'] },
    ],
    [
      'a domain that only the planner refuses',
      { more: { plan: [busNumbersExhausted({ what: 'numbers', sum: 2, limit: 1, ledger: [], savings: [] })] } },
      { 'Domain: that the rest matches the plan': ['bus-numbers-exhausted'] },
    ],
    ['arguments that are not JSON', { argv: (argv) => [...argv, '-device', '{broken', '-device'] }, {}],
    ['a log with only the start', { more: AT_START }, {}],
    [
      'a device that could not be attached',
      {
        more: qemuLog(
          '2026-11-24T12:00:01.000000Z qemu-system-aarch64: [iommufd=29] error attach 0006:01:00.0 (3) pasid 0 to id=9: No such file or directory',
        ),
      },
      { 'QEMU: the log of this start': ['qemu-attach-failed'] },
    ],
    [
      'the same at an earlier start',
      { more: { qemuLog: `${qemuLog('error attach x').qemuLog}${qemuLog().qemuLog}` } },
      {},
    ],
    [
      'command queues that QEMU could not set up',
      { more: qemuLog('qemu-system-aarch64: Tegra241 CMDQV: failed to mmap VINTF page0') },
      { 'QEMU: the log of this start': ['qemu-cmdqv-failed'] },
    ],
    [
      'an invalidation that failed',
      { more: qemuLog('qemu-system-aarch64: IOMMU_HWPT_INVALIDATE failed: total 2 entries, processed 0 entries') },
      { 'QEMU: the log of this start': ['qemu-invalidation-failed'] },
    ],
    [
      'a log that only root can read',
      { more: { qemuLog: { file: '/var/log/libvirt/qemu/vm.log', why: 'permission denied' } } },
      { 'QEMU: the log of this start': ['qemu-log-unreadable'] },
    ],
    ['a monitor that confirms the plan', { more: { monitor: monitorOf() } }, {}],
    [
      'a device at another address in the monitor',
      { more: { monitor: monitorOf((bus) => bus + 1) } },
      {
        'QEMU: the answers of its monitor': ['monitor-differs', 'monitor-differs', 'monitor-differs', 'monitor-taints'],
      },
    ],
    [
      'an SMMU without acceleration in the monitor',
      { more: { monitor: { ...monitorOf(), accel: [{ return: true }, { return: false }, { error: {} }] } } },
      { 'QEMU: the answers of its monitor': ['monitor-differs', 'monitor-differs', 'monitor-taints'] },
    ],

    // The host's kernel
    [
      'an event of a device of another guest',
      {
        more: hostLog('arm-smmu-v3 arm-smmu-v3.8.auto: event: F_TRANSLATION client: 0009:02:00.0 sid: 0x200 ssid: 0x0'),
      },
      {},
    ],
    [
      'an event of a device',
      {
        more: hostLog('arm-smmu-v3 arm-smmu-v3.8.auto: event: F_TRANSLATION client: 0009:01:00.0 sid: 0x100 ssid: 0x0'),
      },
      { 'Host: the kernel log since QEMU started': ['host-smmu-event'] },
    ],
    [
      'an event in the format of older kernels',
      {
        more: hostLog(
          'arm-smmu-v3 arm-smmu-v3.8.auto: event 0x10 received:',
          'arm-smmu-v3 arm-smmu-v3.8.auto: \t0x0000010000000010',
        ),
      },
      { 'Host: the kernel log since QEMU started': ['host-smmu-event'] },
    ],
    [
      'an event of another device in that format',
      {
        more: hostLog(
          'arm-smmu-v3 arm-smmu-v3.8.auto: event 0x10 received:',
          'arm-smmu-v3 arm-smmu-v3.8.auto: \t0x0000020000000010',
        ),
      },
      {},
    ],
    [
      'an SMMU that does not answer',
      {
        more: hostLog(
          'arm-smmu-v3 arm-smmu-v3.8.auto: CMD_SYNC timeout at 0x00000047 [hwprod 0x00000048, hwcons 0x00000046]',
        ),
      },
      { 'Host: the kernel log since QEMU started': ['host-smmu-event'] },
    ],
    [
      'another SMMU that does not answer',
      { more: hostLog('arm-smmu-v3 arm-smmu-v3.9.auto: CMD_SYNC timeout at 0x00000047') },
      {},
    ],
    [
      'a reset',
      { more: hostLog('vfio-pci 0006:01:00.0: vfio_bar_restore: reset recovery - restoring BARs') },
      { 'Host: the kernel log since QEMU started': ['host-vfio-reset'] },
    ],
    [
      'the resets of every start',
      { more: hostLog('vfio-pci 0006:01:00.0: resetting', 'vfio-pci 0006:01:00.0: reset done') },
      {},
    ],
    [
      'an event, if the time of the start is unknown',
      {
        more: {
          hostLog: {
            ...hostLog('arm-smmu-v3 arm-smmu-v3.8.auto: CMD_SYNC timeout at 0x00000047').hostLog,
            since: undefined,
          },
        },
      },
      {},
    ],
    [
      'an event before the start',
      {
        more: {
          hostLog: { ...hostLog('arm-smmu-v3 arm-smmu-v3.8.auto: CMD_SYNC timeout at 0x00000047').hostLog, since: 101 },
        },
      },
      {},
    ],
    [
      'a kernel log that only root can read',
      { more: { hostLog: { log: undefined, since: 0, smmus: undefined } } },
      { 'Host: the kernel log since QEMU started': ['host-log-unreadable'] },
    ],

    // The guest
    [
      'no translation in the guest',
      { report: (text) => text.replaceAll('DMA-FQ', 'identity') },
      {
        "Guest: that it translates each device's DMA": ['guest-passthrough', 'guest-passthrough', 'guest-passthrough'],
      },
    ],
    ['a guest with strict translation', { report: (text) => text.replaceAll('DMA-FQ', 'DMA') }, {}],
    [
      'an unbound driver',
      { report: inReport(nvme, ' driver=nvme', '') },
      { 'Guest: that each device has a driver': ['guest-driver-missing'] },
    ],
    [
      'a device that the guest does not have',
      { report: (text) => text.replace(new RegExp(`${line(gpu).source}\n`, 'm'), '') },
      { 'Guest: that each device is at its address': ['guest-device-missing'] },
    ],
    [
      'another device in its place',
      { report: inReport(gpu, 'vendor=10de', 'vendor=8086') },
      { 'Guest: that each device is at its address': ['guest-device-missing'] },
    ],
    [
      'a device behind another vSMMU',
      { report: inReport(gpu, 'smmu=smmu3.0x000000000c040000', 'smmu=smmu3.0x000000000c000000') },
      { 'Guest: that each device is behind its vSMMU': ['guest-smmu-differs'] },
    ],
    [
      'a device behind no SMMU',
      { report: inReport(gpu, / smmu=.*/, '') },
      { 'Guest: that each device is behind its vSMMU': ['guest-smmu-differs'] },
    ],
    [
      'a guest without SMMUs',
      { report: (text) => text.replace(/^smmu .*\n/gm, '').replace(/ smmu=.*/g, '') },
      { 'Guest: that each device is behind its vSMMU': ['guest-smmu-differs'] },
    ],
    [
      'ATS that is off',
      { report: inReport(gpu, 'ats=on', 'ats=off') },
      { 'Guest: for ATS and PASID': ['guest-capability-off'] },
    ],
    [
      'PASID that is off',
      { report: inReport(gpu, 'pasid=on', 'pasid=off') },
      { 'Guest: for ATS and PASID': ['guest-capability-off'] },
    ],
    ['ATS that is off behind a vSMMU without ATS', { report: inReport(nvme, 'ats=on', 'ats=off') }, {}],
    [
      'a report that was not made by root',
      { report: (text) => text.replace(/ ats=.*/g, '').replace(/^log.*\n/gm, '') },
      {},
    ],
    [
      'an SMMU without ATS',
      { report: (text) => text.replace('features 0x00000020', 'features 0x00000000') },
      { 'Guest: for the features of its vSMMUs': ['guest-feature-missing'] },
    ],
    [
      'an SMMU with fewer bits',
      { report: (text) => text.replace(/oas 48-bit(?=.*00020)/, 'oas 44-bit') },
      { 'Guest: for the features of its vSMMUs': ['guest-feature-missing'] },
    ],
    [
      'fewer nodes',
      { report: (text) => text.replace(/^node 8 .*\n/m, '') },
      { 'Guest: for NUMA nodes and their distances': ['guest-numa-differs'] },
    ],
    [
      'other distances',
      { report: (text) => text.replace(/^(node 0 .*) \d+$/m, '$1 255') },
      { 'Guest: for NUMA nodes and their distances': ['guest-numa-differs'] },
    ],
    [
      'a BAR without an address',
      { report: inReport(gpu, /$/, ' unplaced=2,4') },
      { 'Guest: that each BAR has an address': ['guest-bar-unplaced'] },
    ],
    [
      'an SMMU of the guest that does not answer',
      { report: withLog('[    9.1] arm-smmu-v3 arm-smmu-v3.0.auto: CMD_SYNC timeout at 0x00000003') },
      { 'Guest: the kernel log': ['guest-log-error'] },
    ],
    [
      'a device that does not answer',
      { report: withLog(`[   70.4] nvme ${nvme}: probe with driver nvme failed with error -4`) },
      { 'Guest: the kernel log': ['guest-log-error'] },
    ],
    [
      'another device that does not answer',
      { report: withLog('[   70.4] sata 0000:00:09.0: probe with driver ahci failed with error -4') },
      {},
    ],
  ];
