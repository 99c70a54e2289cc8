import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import { isSerialAgain } from '../../domain/device.js';
import type { Rule } from '../inspection.js';

/** libvirt 12.8: `non unique alias detected: ua-…`; it drops aliases that do not begin with `ua-`. */
export const aliasDuplicate: Rule = ({ domain, location }) => {
  const seen = new Set<string>();
  return (domain.devicesElement?.children ?? []).flatMap((element): readonly Diagnostic[] => {
    const alias = element.child('alias')?.attribute('name');
    if (!alias?.startsWith('ua-') || isSerialAgain(element)) return [];
    if (!seen.has(alias)) {
      seen.add(alias);
      return [];
    }
    const message = `two devices have the alias ${alias}`;
    return [diagnostic('alias-duplicate', message, { location: location(element, 'alias') })];
  });
};
