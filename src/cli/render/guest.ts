import type { Domain } from '../../domain/domain.js';
import { drawTree } from '../../guest/lspci.js';
import type { GuestView } from '../../guest/predict.js';
import type { Host } from '../../host/host.js';
import { section } from './typeset.js';

/** Renders what the guest will see: the output of its `lspci -tv`, and the IORT from its firmware. */
export function renderGuest(view: GuestView, domain: Domain, host: Host): string {
  return section('lspci -tv', drawTree(view, domain, host)) + section('IORT: ids of PCI requesters', idRanges(view));
}

function idRanges({ iort, vsmmus }: GuestView): string {
  const id = (n: number): string => n.toString(16).padStart(4, '0');
  return iort
    .map(({ first, last, target }) => {
      const expanderBus = target === 'its' ? undefined : vsmmus[target]?.controllerIndex;
      const to =
        target === 'its'
          ? 'ITS, no SMMU'
          : `vSMMU ${target}, ${expanderBus === 0 ? 'pcie.0' : `expander bus ${expanderBus}`}`;
      return `  ${id(first)}-${id(last)}  ${to}\n`;
    })
    .join('');
}
