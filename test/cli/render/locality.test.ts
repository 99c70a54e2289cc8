import { describe, expect, it } from 'vitest';
import { renderGuestLocality, renderHostLocality } from '../../../src/cli/render/locality.js';
import type { Bdf } from '../../../src/domain/address.js';
import type { GuestLocality } from '../../../src/guest/locality.js';
import type { LocalDevice } from '../../../src/host/locality.js';

describe('how near devices are, as text', () => {
  const row = (name: string, more: Partial<LocalDevice> = {}): LocalDevice => ({
    name,
    functions: ['0000:01:00.0' as Bdf],
    smmu: null,
    node: null,
    ...more,
  });

  it('is a table with the node and the SMMU of each row', () => {
    const functions = ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2'] as Bdf[];
    const devices = [
      row('GPU0', { smmu: 'smmu3.0x0000000005000000', node: 1 }),
      row('NIC0', { functions: functions.slice(0, 2), node: 0 }),
      row('NIC1', { functions }),
    ];
    const nearness = [
      ['X', 'PHB', 'SYS'],
      ['PHB', 'X', 'NODE'],
      ['SYS', 'NODE', 'X'],
    ] as const;
    expect(renderHostLocality({ devices, nearness, leftOut: 3 })).toMatchInlineSnapshot(`
      "
      Locality
                              GPU0 NIC0 NIC1  node  SMMU
        GPU0  0000:01:00.0    X    PHB  SYS   1     0x5000000
        NIC0  0000:01:00.0,1  PHB  X    NODE  0     -
        NIC1  0000:01:00.0-2  SYS  NODE X     -     -
        … and 3 more

        PIX   below one switch, or in one slot
        PXB   below several switches; the path does not pass the root complex
        PHB   in one root complex
        NODE  on one NUMA node
        SYS   on different or unknown NUMA nodes
      "
    `);
    expect(renderHostLocality({ devices: devices.slice(0, 1), nearness, leftOut: 0 })).toBe(
      '\nLocality\n  fewer than two GPUs, NICs, DMA engines and NVMe drives\n',
    );
  });

  it('is compared with the guest', () => {
    const devices = ['GPU0', 'GPU1', 'NIC0'].map((name, n) => ({ name, bdf: `0000:0${n}:00.0` as Bdf }));
    const same = [
      ['X', 'PIX', 'SYS'],
      ['PIX', 'X', 'SYS'],
      ['SYS', 'SYS', 'X'],
    ] as const;
    const flat = same.map((cells) => cells.map((cell) => (cell === 'X' ? 'X' : 'PHB')));
    const show = (more: Partial<GuestLocality>) =>
      renderGuestLocality({ devices, host: same, before: flat, after: flat, ...more } as GuestLocality);
    expect(show({})).toMatchInlineSnapshot(`
      "
      Locality on the host
                            GPU0 GPU1 NIC0
        GPU0  0000:00:00.0  X    PIX  SYS
        GPU1  0000:01:00.0  PIX  X    SYS
        NIC0  0000:02:00.0  SYS  SYS  X

      Locality in the guest before the conversion
        PHB between all of them

      Locality in the guest after the conversion
                            GPU0 GPU1 NIC0
        GPU0  0000:00:00.0  X    PHB* PHB*
        GPU1  0000:01:00.0  PHB* X    PHB*
        NIC0  0000:02:00.0  PHB* PHB* X

        PIX   below one switch, or in one slot
        PXB   below several switches; the path does not pass the root complex
        PHB   in one root complex
        NODE  on one NUMA node
        SYS   on different or unknown NUMA nodes
        *     differs from the host
      "
    `);
    expect(show({ before: same, after: same })).toMatchInlineSnapshot(`
      "
      Locality on the host
                            GPU0 GPU1 NIC0
        GPU0  0000:00:00.0  X    PIX  SYS
        GPU1  0000:01:00.0  PIX  X    SYS
        NIC0  0000:02:00.0  SYS  SYS  X

      Locality in the guest before the conversion
                            GPU0 GPU1 NIC0
        GPU0  0000:00:00.0  X    PIX  SYS
        GPU1  0000:01:00.0  PIX  X    SYS
        NIC0  0000:02:00.0  SYS  SYS  X

      Locality in the guest after the conversion
        the same as on the host

        PIX   below one switch, or in one slot
        PXB   below several switches; the path does not pass the root complex
        PHB   in one root complex
        NODE  on one NUMA node
        SYS   on different or unknown NUMA nodes
      "
    `);
    expect(show({ devices: devices.slice(1, 2) })).toContain('fewer than two');
    expect(show({ devices: devices.slice(0, 2) })).not.toContain('fewer than two');
  });
});
