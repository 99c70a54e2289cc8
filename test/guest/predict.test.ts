import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { predictGuest } from '../../src/guest/predict.js';

const address = (bus: number, slot = 0, func = 0): string =>
  `<address type='pci' bus='${bus}' slot='${slot}' function='${func}'/>`;
const controller = (index: number, model: string, rest = ''): string =>
  `<controller type='pci' index='${index}' model='${model}'>${rest}</controller>`;
const port = (index: number, bus: number, slot: number): string =>
  controller(index, 'pcie-root-port', address(bus, slot));
const expander = (index: number, slot: number, busNr: number): string =>
  controller(index, 'pcie-expander-bus', `<target busNr='${busNr}'/>${address(0, slot)}`);
const hostdev = (host: string, at = ''): string =>
  `<hostdev mode='subsystem' type='pci'><source><address bus='${host}'/></source>${at}</hostdev>`;
const vsmmu = (bus: number): string => `<iommu model='smmuv3'><driver pciBus='${bus}' accel='on'/></iommu>`;

const predict = (...devices: string[]) =>
  predictGuest(parseDomain(`<domain><devices>${devices.join('')}</devices></domain>`));

/** Three expander buses at 229, 238 and 247, one endpoint each behind a root port of the last two. */
const series = [
  controller(0, 'pcie-root'),
  port(1, 0, 1),
  `<interface type='network'>${address(1)}</interface>`,
  expander(2, 2, 229),
  expander(3, 3, 238),
  port(4, 3, 0),
  expander(5, 4, 247),
  port(6, 5, 0),
  hostdev('0x31', address(4)),
  hostdev('0x91', address(6)),
  vsmmu(2),
  vsmmu(3),
  vsmmu(5),
];

describe('a guest with three expander buses', () => {
  const view = predict(...series);

  it('has its devices on the bus numbers that firmware assigns', () => {
    expect(view.functions.map((f) => `${f.address} ${f.host ?? f.element} ${f.bus ?? '-'} ${f.vsmmu ?? '-'}`)).toEqual([
      '0000:00:01.0 controller 1 -',
      '0000:00:02.0 controller - -',
      '0000:00:03.0 controller - -',
      '0000:00:04.0 controller - -',
      '0000:01:00.0 interface - -',
      '0000:ee:00.0 controller 239 1',
      '0000:ef:00.0 0000:31:00.0 - 1',
      '0000:f7:00.0 controller 248 2',
      '0000:f8:00.0 0000:91:00.0 - 2',
    ]);
  });

  it('has an IORT that maps the buses in use to their vSMMUs, and all other buses to the ITS', () => {
    const ranges = view.iort.map(
      ({ first, last, target }) => `${first.toString(16)}+${(last - first).toString(16)} ${target}`,
    );
    expect(ranges).toEqual([
      '0+e4ff its',
      'e500+ff 0',
      'e600+7ff its',
      'ee00+1ff 1',
      'f000+6ff its',
      'f700+1ff 2',
      'f900+6ff its',
    ]);
  });

  it('is described completely', () => {
    expect(view.complete).toBe(true);
  });
});

describe('buses', () => {
  it('are numbered depth first, in slot order, whatever the order of the document', () => {
    const { functions } = predict(
      controller(0, 'pcie-root'),
      port(3, 0, 2),
      port(1, 0, 1),
      controller(4, 'pcie-switch-upstream-port', address(1)),
      controller(6, 'pcie-switch-downstream-port', address(4, 1)),
      controller(5, 'pcie-switch-downstream-port', address(4, 0)),
      hostdev('0x10', address(6)),
      hostdev('0x20', address(3)),
    );
    const made = functions.flatMap((f) => (f.bus === null ? [] : [`${f.address} ${f.bus}`]));
    expect(made).toEqual(['0000:00:01.0 1', '0000:00:02.0 5', '0000:01:00.0 2', '0000:02:00.0 3', '0000:02:01.0 4']);
    expect(functions.filter((f) => f.host !== null).map((f) => `${f.host} ${f.address}`)).toEqual([
      '0000:10:00.0 0000:04:00.0',
      '0000:20:00.0 0000:05:00.0',
    ]);
  });

  it('are numbered also below functions of one slot', () => {
    const { vsmmus } = predict(
      controller(0, 'pcie-root'),
      expander(1, 1, 240),
      controller(2, 'pcie-root-port', address(1, 0, 0)),
      controller(3, 'pcie-root-port', address(1, 0, 1)),
      vsmmu(1),
    );
    expect(vsmmus).toEqual([{ controllerIndex: 1, buses: { first: 240, last: 242 } }]);
  });
});

describe('an SMMU without a bus of its own', () => {
  const root = controller(0, 'pcie-root');
  const machine = "<iommu model='smmuv3'/>";
  it.each([
    ['belongs to pcie.0 if it comes first', [root, machine], [0]],
    ['is ignored if it comes later', [root, expander(1, 1, 240), vsmmu(1), machine], [1]],
  ])('%s', (_, devices, buses) => {
    expect(predict(...devices).vsmmus.map(({ controllerIndex }) => controllerIndex)).toEqual(buses);
  });
});

describe('a guest with values that libvirt has not chosen yet', () => {
  const root = controller(0, 'pcie-root');
  it.each([
    ['a device without an address', [root, hostdev('0x10')]],
    ['a controller without an address', [root, controller(1, 'pcie-root-port')]],
    ['a gap in the indexes', [root, port(2, 0, 1)]],
    ['a controller that a device needs', [root, "<disk><target dev='sda' bus='scsi'/></disk>"]],
  ])('has an incomplete prediction: %s', (_title, devices) => {
    expect(predict(...devices).complete).toBe(false);
  });
});

describe('a guest with an SMMU for pcie.0', () => {
  it.each([
    ['a vSMMU of pcie.0', "<iommu model='smmuv3'><driver pciBus='0'/></iommu>"],
    ['an SMMU for the whole machine', "<iommu model='smmuv3'/>"],
  ])('has the devices of pcie.0 behind it: %s', (_title, iommu) => {
    const { functions, iort } = predict(controller(0, 'pcie-root'), port(1, 0, 1), iommu);
    expect(functions.map((f) => f.vsmmu)).toEqual([0]);
    expect(iort[0]).toEqual({ first: 0, last: 0x1ff, target: 0 });
  });
});
