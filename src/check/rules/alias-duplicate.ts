import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { aliasDuplicate as diagnostic } from '../../diagnostics/domain.js';
import { isRepeatedSerial } from '../../domain/device.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8: `non unique alias detected: ua-…`; it drops aliases that do not begin with `ua-`. */
export const aliasDuplicate: Rule = ({ domain, location }) => {
  const seen = new Set<string>();
  return domain.deviceElements.flatMap((element): readonly Diagnostic[] => {
    const alias = element.child('alias')?.attribute('name');
    if (!alias?.startsWith('ua-') || isRepeatedSerial(element)) return [];
    if (!seen.has(alias)) {
      seen.add(alias);
      return [];
    }
    return [diagnostic({ alias, location: location(element, 'alias') })];
  });
};
