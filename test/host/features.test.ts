import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderTopology } from '../../src/cli/render/topology.js';
import { KERNEL_LOG } from '../../src/host/kernel-log.js';
import { scanHost } from '../../src/host/scan.js';
import { readTopology, serializeTopology } from '../../src/host/snapshot.js';
import { changedHost } from './fixture.js';

/** A host whose sysfs shows nothing of the firmware. */
const sys = changedHost(() => undefined);

/** A kernel log line of host-a about its SMMU with index `n`. */
const probed = (n: number, words: string): string => `arm-smmu-v3 arm-smmu-v3.${n}.auto: ${words}`;

/** The known features of each SMMU. */
const features = (log: readonly string[], folder = sys) =>
  scanHost(folder, undefined, () => log).smmus.map((smmu) => smmu.features);

describe('the features of an SMMU', () => {
  it('are not read if no log is given', () => {
    expect(scanHost(sys).smmus.some((smmu) => 'features' in smmu)).toBe(false);
  });

  it('are left out if they are unknown', () => {
    expect(scanHost(sys, undefined, () => ['Linux version 7.2.0']).smmus.some((smmu) => 'features' in smmu)).toBe(
      false,
    );
  });

  it.for([
    ['ias 44-bit, oas 44-bit (features 0x00001c1e)', { oas: 44, ats: false, ril: false, nesting: false }],
    ['oas 48-bit (features 0x000088020)', { oas: 48, ats: true, ril: true, nesting: true }],
    ['oas 48-bit (features 0x80000020)', { oas: 48, ats: true, ril: false, nesting: false }],
  ] as const)('is read off what its driver says: %s', ([words, found]) => {
    expect(features([probed(1, words)])).toEqual([undefined, found, undefined, undefined, undefined]);
  });

  it('are those in the last message of the driver', () => {
    const log = [probed(0, 'oas 44-bit (features 0x0)'), probed(0, 'oas 48-bit (features 0x20)')];
    expect(features(log)[0]).toMatchObject({ oas: 48, ats: true });
  });

  it('include command queues if the driver found some, and not if firmware describes none', () => {
    const without = changedHost((at) => mkdirSync(at('bus/acpi/devices/PNP0A08:00'), { recursive: true }));
    const log = [probed(2, 'found companion CMDQV device: NVDA200C:00')];
    expect(features(log, without).map((found) => found?.cmdqv)).toEqual([false, false, true, false, false]);
    const some = changedHost((at) => mkdirSync(at('bus/acpi/devices/NVDA200C:00'), { recursive: true }));
    expect(features(log, some).map((found) => found?.cmdqv)).toEqual([
      undefined,
      undefined,
      true,
      undefined,
      undefined,
    ]);
  });

  it('are in a snapshot and in the output of topology', () => {
    const host = scanHost(sys, undefined, () => [probed(0, 'oas 44-bit (features 0x20)')]);
    expect(readTopology(serializeTopology(host), 'host.json').topology).toEqual(host.topology);
    expect(renderTopology(host)).toContain(
      'smmu3.0x000000000c000000  node 0  ats=on ril=off oas=44  no nested translation\n',
    );
  });
});

describe("this machine's kernel log", () => {
  it('is a list of lines without level and time, or empty if it cannot be read', () => {
    expect(KERNEL_LOG().filter((line) => /^\d+,\d+,\d+,/.test(line) || line.includes('\n'))).toEqual([]);
  });
});
