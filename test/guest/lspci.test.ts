import { describe, expect, it } from 'vitest';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { drawTree } from '../../src/guest/lspci.js';
import { predictGuest } from '../../src/guest/predict.js';
import { at, domainWith, expander, hostdev, hostWith, port, rng } from '../plan/example.js';

const host = hostWith(1, { 49: { smmu: 0 }, 145: { smmu: 0 } });
const draw = (domain: Domain): string => drawTree(predictGuest(domain), domain, host);
const root = "<controller type='pci' index='0' model='pcie-root'/>";
const controller = (index: number, model: string, address: string): string =>
  `<controller type='pci' index='${index}' model='${model}'>${address}</controller>`;

describe('the tree of a guest', () => {
  it('is drawn as lspci draws it, with several root buses on a stem', () => {
    const domain = domainWith(
      root,
      port(1),
      rng(at(1)),
      port(2),
      expander(3, 238),
      port(4, at(3)),
      hostdev(0x31, at(4)),
    );
    expect(draw(domain)).toBe(`-+-[0000:00]-+-00.0  QEMU PCIe Host bridge
 |           +-01.0-[01]----00.0  <rng>
 |           +-02.0-[02]--
 |           \\-03.0  PCIe Expander bridge (3)
 \\-[0000:ee]---00.0-[ef]----00.0  host 0000:31:00.0, Ethernet
`);
  });

  it('has no stem for a single root bus', () => {
    expect(draw(domainWith(root, rng(at(0, 1))))).toBe(`-[0000:00]-+-00.0  QEMU PCIe Host bridge
           \\-01.0  <rng>
`);
  });

  it('leaves out an empty expander bus, as lspci does', () => {
    expect(draw(domainWith(root, expander(1, 240)))).not.toContain('[0000:f0]');
  });

  it('shows the buses below a switch, and draws them in its column', () => {
    const domain = domainWith(
      root,
      expander(1, 240),
      port(2, at(1), 2),
      controller(3, 'pcie-switch-upstream-port', at(2)),
      controller(4, 'pcie-switch-downstream-port', at(3)),
      controller(5, 'pcie-switch-downstream-port', at(3, 1)),
      hostdev(0x31, at(4)),
      hostdev(0x91, at(5)),
    );
    expect(draw(domain).split('\n').slice(2)).toEqual([
      ' \\-[0000:f0]---00.0-[f1-f4]----00.0-[f2-f4]--+-00.0-[f3]----00.0  0000:31:00.0',
      '                                             \\-01.0-[f4]----00.0  0000:91:00.0',
      '',
    ]);
  });

  it('has only the host bridge for a domain without devices', () => {
    const domain = parseDomain('<domain><devices/></domain>');
    expect(draw(domain)).toBe('-[0000:00]---00.0  QEMU PCIe Host bridge\n');
  });
});
