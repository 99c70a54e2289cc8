import { expect, it } from 'vitest';
import type { Bdf } from '../../src/domain/address.js';
import type { HostDevice } from '../../src/domain/device.js';
import type { CellId } from '../../src/domain/numa.js';
import { commonFormerVsmmu, type FormerVsmmu } from '../../src/plan/stage.js';

const device = (bdf: string) => ({ bdf: bdf as Bdf }) as HostDevice;
const [a, b, c] = [device('0000:01:00.0'), device('0000:02:00.0'), device('0000:03:00.0')];
const former = new Map<Bdf, FormerVsmmu>([
  [a.bdf, { values: { accel: 'on', oas: '44', ats: 'on' }, node: 1 as CellId }],
  [b.bdf, { values: { accel: 'on', oas: '48' }, node: 2 as CellId }],
]);

it('devices that were behind vSMMUs with different values keep only the values that all these vSMMUs had', () => {
  expect(commonFormerVsmmu([a, c], former)).toEqual(former.get(a.bdf));
  expect(commonFormerVsmmu([a, b], former)).toEqual({ values: { accel: 'on' }, node: null });
  expect(commonFormerVsmmu([c], former)).toBeUndefined();
});
