import { describe, expect, it } from 'vitest';
import { findParentLoop } from '../../src/host/parents.js';
import { hostWith } from '../plan/example.js';

/** A device with this number of bridges above it, added from the device up or from the top down. */
function chain(bridges: number, topDown: boolean): string | undefined {
  const [model] = hostWith(1, { 1: { smmu: 0 } }).endpoints;
  if (!model) throw new Error('no device');
  const bdfOf = (i: number) => `${(i + 1).toString(16).padStart(4, '0')}:00:00.0` as typeof model.bdf;
  const all = Array.from({ length: bridges + 1 }, (_, i) => ({
    ...model,
    bdf: bdfOf(i),
    parent: i === bridges ? null : bdfOf(i + 1),
  }));
  const ordered = topDown ? all.reverse() : all;
  return findParentLoop(new Map(ordered.map((device) => [device.bdf, device])))?.bdf;
}

describe('the bridges above a device', () => {
  it.each([true, false])(
    'are at most the number of buses in a PCI domain minus one: from the top down %s',
    (topDown) => {
      expect(chain(255, topDown)).toBeUndefined();
      expect(chain(256, topDown)).toBe('0001:00:00.0');
    },
  );
});
