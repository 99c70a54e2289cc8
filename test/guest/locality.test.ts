import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { convert } from '../../src/convert.js';
import { parseDomain } from '../../src/domain/domain.js';
import { guestLocality } from '../../src/guest/locality.js';
import { predictGuest } from '../../src/guest/predict.js';
import { readTopology } from '../../src/host/snapshot.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';

const SAMPLES = new URL('../../samples/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, SAMPLES), 'utf8');

/** How near two host devices are to each other: on the host, in the guest before the conversion, and after it. */
function nearness(sample: string, hostName: string, pair: readonly [string, string], policy: Partial<Policy> = {}) {
  const host = readTopology(read(`hosts/${hostName}.json`), hostName);
  const domain = parseDomain(read(`domains/${sample}.xml`));
  const { after } = convert(domain, host, { policy: { ...DEFAULT_POLICY, ...policy } });
  const guest = (of: typeof domain) => ({ domain: of, view: predictGuest(of) });
  const locality = guestLocality(host, guest(domain), guest(after));
  const [i = -1, j = -1] = pair.map((bdf) => locality.devices.findIndex((device) => device.bdf === bdf));
  return [locality.host, locality.before, locality.after].map((matrix) => matrix[i]?.[j]);
}

describe('locality in the guest', () => {
  const GPUS = ['0008:03:00.0', '0008:04:00.0'] as const;

  it('of two devices below one switch is that of the host only with mirrored switches', () => {
    expect(nearness('dense-vm', 'dense', GPUS)).toEqual(['PIX', 'PHB', 'PHB']);
    expect(nearness('dense-vm', 'dense', GPUS, { mirrorSwitches: true })).toEqual(['PIX', 'PHB', 'PIX']);
  });

  it('of two devices behind different SMMUs of a node is NODE, as on the host', () => {
    expect(nearness('dense-vm', 'dense', ['0008:03:00.0', '0009:03:00.0'])).toEqual(['NODE', 'PHB', 'NODE']);
  });

  it('of two devices on different nodes is SYS, as on the host', () => {
    expect(nearness('gb200-vm', 'gb200', ['0008:01:00.0', '0018:01:00.0'])).toEqual(['SYS', 'PHB', 'SYS']);
  });

  it('comes with the NIC of each DMA function in another PCI segment, if the domain has that NIC', () => {
    const host = readTopology(read('hosts/gb200-cx8.json'), 'gb200-cx8');
    const domain = parseDomain(read('domains/gb200-cx8-vm.xml'));
    const guest = { domain, view: predictGuest(domain) };
    expect(
      guestLocality(host, guest, guest).devices.flatMap(({ bdf, dataDirect }) =>
        dataDirect ? [[bdf, dataDirect]] : [],
      ),
    ).toEqual([
      ['0008:03:00.0', ['0002:03:00.0']],
      ['0009:03:00.0', ['0000:03:00.0']],
    ]);
  });

  it('is unknown for a device without an address', () => {
    const host = readTopology(read('hosts/gh200.json'), 'gh200');
    const domain = parseDomain(
      read('domains/gh200-vm.xml').replace(/\n\s*<address type='pci'[^>]*\/>(?=\s*<\/hostdev>)/g, ''),
    );
    const guest = { domain, view: predictGuest(domain) };
    expect(new Set(guestLocality(host, guest, guest).before.flat())).toEqual(new Set(['X', '-']));
  });
});
