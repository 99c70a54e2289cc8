import { platformSettingMissing as diagnostic } from '../../diagnostics/devices.js';
import type { HostDevice } from '../../domain/device.js';
import type { GuestCell } from '../../domain/numa.js';
import { parseNodeset } from '../../domain/numa.js';
import { type Profile, profileOf } from '../../policy/profiles.js';
import type { Inspection, Rule } from '../inspection.js';

/** A placed device with settings that its platform's guide recommends. */
interface Recommended {
  readonly device: HostDevice;
  readonly settings: NonNullable<Profile['settings']>;
}

/** Reports missing settings that the guide of a device's platform recommends and that vsmmu does not write (`profiles.json`). */
export const platformSettings: Rule = (inspection) => {
  const { accelerated, host } = inspection;
  const devices = accelerated.flatMap(({ hostDevices }) => hostDevices);
  const recommended = devices.flatMap((device): Recommended[] => {
    const known = host?.device(device.bdf);
    const settings = known && profileOf(known)?.settings;
    return settings ? [{ device, settings }] : [];
  });
  if (recommended.length === 0) return [];
  return [
    ...missingRom(recommended),
    ...missingRas(recommended, inspection),
    ...missingDistance(recommended, inspection),
  ];
};

function missingRom(all: readonly Recommended[]): ReturnType<Rule> {
  const without = all.filter(({ device: { element }, settings }) => {
    const rom = element.child('rom');
    return settings.rom === 'off' && rom?.attribute('bar') !== 'off' && rom?.attribute('enabled') !== 'no';
  });
  const [first] = without;
  if (!first) return [];
  return [diagnostic.rom({ devices: without.map(({ device }) => device.bdf), location: first.device.location })];
}

function missingRas(all: readonly Recommended[], { domain, location }: Inspection): ReturnType<Rule> {
  const [first] = all.filter(({ settings }) => settings.ras === 'on');
  const { root } = domain.document;
  if (!first || root.child('features')?.child('ras')?.attribute('state') === 'on') return [];
  return [diagnostic.ras({ device: first.device.bdf, location: location(root, 'features') })];
}

/** Reports Generic Initiators without a distance from a cell with memory. libvirt's default is 20 between any two cells. */
function missingDistance(all: readonly Recommended[], { domain }: Inspection): ReturnType<Rule> {
  const { cells } = domain.numa;
  const hasDistance = (a: GuestCell, b: GuestCell) => a.distances.has(b.id) || b.distances.has(a.id);
  for (const { device, settings } of all) {
    const own = new Set<number>(parseNodeset(device.nodeset ?? '') ?? []);
    const initiators = cells.filter(({ id }) => own.has(id));
    const near = cells.find((cell) => cell.memory > 0 && initiators.some((initiator) => !hasDistance(cell, initiator)));
    if (settings.distance === undefined || !near) continue;
    const { bdf, nodeset = '', location } = device;
    return [diagnostic.distance({ device: bdf, cells: nodeset, cell: near.id, distance: settings.distance, location })];
  }
  return [];
}
