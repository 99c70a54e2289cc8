import { settingKept } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { hugePagesOf } from '../domain/memory-backing.js';
import { formatKib, parseSize } from '../domain/size.js';
import type { Plan } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import { changesOf, type PlanContext, type StageResult } from './stage.js';
import type { Selection } from './verdict.js';

/** The settings to add to a domain. */
export interface SettingsPlan extends StageResult {
  readonly settings: Plan['settings'];
}

/** The settings for a domain that is left unchanged: none. */
export const NO_SETTINGS: Plan['settings'] = { romBars: [], ras: false, hugePages: null };

/**
 * Plans the settings that the policy names for a domain with placed devices. They are opt-in: the guides of some platforms
 * recommend them, but no vSMMU needs them. A setting that the domain has already stays, with a warning if it differs.
 */
export function planSettings({ domain, policy }: PlanContext, verdicts: Selection['verdicts']): SettingsPlan {
  const placed = domain.hostDevices.filter((device) => verdicts.get(device)?.smmu !== undefined);
  if (placed.length === 0) return { settings: NO_SETTINGS, diagnostics: [], changes: [] };
  const diagnostics: Diagnostic[] = [];
  const roms = policy.romBar === 'off' ? placed.filter((device) => !hasRomSetting(device, diagnostics)) : [];
  const ras = policy.ras === 'on' && !hasRasSetting(domain, diagnostics);
  const hugePages = policy.hugePages === 'keep' ? null : planHugePages(domain, policy.hugePages, diagnostics);
  return {
    settings: { romBars: roms.map(({ bdf }) => bdf), ras, hugePages },
    diagnostics,
    changes: [
      ...changesOf('set', 'device', roms, ({ bdf }) => bdf),
      ...changesOf('set', 'domain', [...(ras ? ['ras'] : []), ...(hugePages === null ? [] : ['hugePages'])]),
    ],
  };
}

function hasRomSetting({ element, bdf, location }: HostDevice, diagnostics: Diagnostic[]): boolean {
  const rom = element.child('rom');
  if (!rom || rom.attributes.length === 0) return false;
  const isOff = rom.attribute('bar') === 'off' || rom.attribute('enabled') === 'no';
  if (!isOff) diagnostics.push(settingKept.rom({ device: bdf, present: startOf(rom), location }));
  return true;
}

function hasRasSetting({ document }: Domain, diagnostics: Diagnostic[]): boolean {
  const ras = document.root.child('features')?.child('ras');
  if (ras && ras.attribute('state') !== 'on') {
    diagnostics.push(settingKept.ras({ present: startOf(ras), location: document.location(ras.start) }));
  }
  return ras !== undefined;
}

function planHugePages(domain: Domain, wanted: string, diagnostics: Diagnostic[]): Plan['settings']['hugePages'] {
  const { document, numa } = domain;
  const backing = document.root.child('memoryBacking');
  const size = wanted === 'on' ? 'on' : (parseSize(wanted.slice(0, -1), wanted.slice(-1)) ?? 'on');
  const report = (found: Diagnostic): null => {
    diagnostics.push(found);
    return null;
  };
  const present = hugePagesOf(document.root);
  const location = backing && document.location(backing.start);
  if (present !== undefined) {
    return present === size || size === 'on' ? null : report(settingKept.hugePages({ wanted, location }));
  }
  const conflict = backing?.children.find(conflictsWithHugePages);
  if (conflict) return report(settingKept.conflict({ wanted, present: startOf(conflict), location }));
  const memories = numa.cells.length > 0 ? numa.cells.map(({ memory }) => memory) : [numa.memory];
  const uneven = size === 'on' ? undefined : memories.find((memory) => memory % size !== 0);
  return uneven === undefined ? size : report(settingKept.uneven({ wanted, memory: formatKib(uneven), location }));
}

/** Whether libvirt (12.8, `virDomainDefMemtuneValidate`) refuses huge pages beside an element of `<memoryBacking>`. */
function conflictsWithHugePages(element: XmlElement): boolean {
  const { name } = element;
  return (
    (name === 'source' && element.attribute('type') === 'anonymous') ||
    (name === 'allocation' && element.attribute('mode') === 'ondemand')
  );
}

/** Returns an element without its content, for messages. */
function startOf({ name, attributes }: XmlElement): string {
  return `<${[name, ...attributes.map((a) => `${a.name}='${a.value}'`)].join(' ')}/>`;
}
