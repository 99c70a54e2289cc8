import { countByClass, explainObstacle } from '../../doctor/assessment.js';
import { escapeMarkup } from '../../escape.js';
import { drawTopology } from '../../guest/topology-picture.js';
import type { FleetHost } from '../fleet.js';
import { type FleetFinding, findingsOf, rowOf } from './fleet.js';
import { PAGE_END, pageHead } from './page.js';

/**
 * Draws a fleet as one self-contained HTML page: the remedies, and a row per host, which opens to show the host's SMMUs,
 * devices and IOMMU groups.
 */
export function drawFleet(fleet: readonly FleetHost[]): string {
  const { fixable, others } = findingsOf(fleet);
  return [
    pageHead('vsmmu topology'),
    drawTable(['Firmware setting', 'devices that it could make placeable', 'hosts'], fixable),
    drawTable(['Reason (no known remedy)', 'devices that cannot be placed', 'hosts'], others),
    '<p>Each row shows how many devices of a host can be placed behind a vSMMU. Open a row to see the devices behind each SMMU, by IOMMU group.</p>\n',
    ...fleet.map(drawHost),
    PAGE_END,
  ].join('');
}

function drawTable(titles: readonly string[], findings: readonly FleetFinding[]): string {
  if (findings.length === 0) return '';
  const row = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join('')}</tr>\n`;
  const rows = findings.map(({ what, devices, hosts }) => row('td', [what, devices, hosts]));
  return `<table>\n${row('th', titles)}${rows.join('')}</table>\n`;
}

function drawHost(each: FleetHost): string {
  const { host, assessment } = each;
  const [name = '', smmus = '', placeable = '', which = ''] = rowOf(each).map(escapeMarkup);
  const hasNone = assessment.placeable.length === 0;
  const row = [
    `<span class="name">${name}</span>`,
    `<span class="verdict">${placeable}</span>`,
    `<span class="why">${smmus === '-' ? 'no SMMUv3' : `${smmus} SMMUs`}${which === '' ? '' : `; ${which}`}</span>`,
  ].join('');
  const findings = assessment.obstacles.map((obstacle) => {
    const { why, remedy } = explainObstacle(obstacle);
    const addresses = obstacle.devices.map(({ bdf }) => bdf).join(', ');
    const text = `${countByClass(obstacle.devices)} (${addresses}): ${why}${remedy === null ? '' : `; ${remedy}`}`;
    return `<li>${escapeMarkup(text)}</li>`;
  });
  const list = findings.length === 0 ? '' : `<ul>${findings.join('')}</ul>`;
  return `<details${hasNone ? ' class="failure"' : ''}><summary>${row}</summary>${list}${drawTopology(host)}</details>\n`;
}
