import { countByClass, explainHindrance } from '../../doctor/assessment.js';
import { escapeMarkup } from '../../escape.js';
import { drawTopology } from '../../guest/topology-picture.js';
import type { FleetHost } from '../fleet.js';
import { type FleetFinding, findingsOf, rowOf } from './fleet.js';
import { PAGE_END, pageHead } from './page.js';

/**
 * Draws a fleet as one self-contained HTML page: what settings would gain, and a row per host, which opens to its SMMUs, devices
 * and IOMMU groups.
 */
export function drawFleet(fleet: readonly FleetHost[]): string {
  const { gains, others } = findingsOf(fleet);
  return [
    pageHead('vsmmu topology'),
    drawTable(['A firmware setting could gain, with', 'devices', 'hosts'], gains),
    drawTable(['No known setting helps', 'devices', 'hosts'], others),
    '<p>How many devices of each host can be placed. Rows open: they show what is behind each SMMU, by IOMMU group.</p>\n',
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
  const isPoor = assessment.placeable.length === 0;
  const row = [
    `<span class="name">${name}</span>`,
    `<span class="verdict">${placeable}</span>`,
    `<span class="why">${smmus === '-' ? 'no SMMUv3' : `${smmus} SMMUs`}${which === '' ? '' : `; ${which}`}</span>`,
  ].join('');
  const findings = assessment.hindrances.map((hindrance) => {
    const { why, remedy } = explainHindrance(hindrance);
    const addresses = hindrance.devices.map(({ bdf }) => bdf).join(', ');
    const text = `${countByClass(hindrance.devices)} (${addresses}): ${why}${remedy === null ? '' : `; ${remedy}`}`;
    return `<li>${escapeMarkup(text)}</li>`;
  });
  const list = findings.length === 0 ? '' : `<ul>${findings.join('')}</ul>`;
  return `<details${isPoor ? ' class="failure"' : ''}><summary>${row}</summary>${list}${drawTopology(host)}</details>\n`;
}
