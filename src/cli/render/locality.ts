import type { GuestLocality } from '../../guest/locality.js';
import type { HostLocality, LocalDevice, NearnessCell } from '../../host/locality.js';
import { item, section } from './typeset.js';

const LEGEND = `
  PIX   below one switch, or in one slot
  PXB   below several switches; the path does not pass the root complex
  PHB   in one root complex
  NODE  on one NUMA node
  SYS   on different or unknown NUMA nodes
`;

/** Marks a cell of the guest that differs from the host. */
const DIFFERS = '*';

/** Renders how near the devices of a host are to each other, as `nvidia-smi topo -m` does. */
export function renderHostLocality({ devices, nearness, leftOut }: HostLocality): string {
  if (devices.length < 2) return section('Locality', '  fewer than two GPUs, NICs, DMA engines and NVMe drives\n');
  const rows = devices.map(({ name, functions }) => ({ name, device: functionsInWords(functions) }));
  const tails = devices.map(
    ({ smmu, node }) => `${node === null ? '-' : node}`.padEnd(6) + (smmu ? shorten(smmu) : '-'),
  );
  const rest = leftOut === 0 ? '' : `  … and ${leftOut} more\n`;
  const matrix = renderMatrix(rows, nearness, { title: `${'node'.padEnd(6)}SMMU`, cells: tails });
  return section('Locality', matrix + rest + LEGEND + relations(devices));
}

/** Renders how near a domain's devices are to each other on the host, and in the guest before and after the conversion. */
export function renderGuestLocality({ devices, host, before, after }: GuestLocality): string {
  if (devices.length < 2) return section('Locality', '  fewer than two GPUs, NICs, DMA engines and NVMe drives\n');
  const rows = devices.map(({ name, bdf }) => ({ name, device: bdf }));
  const marked = after.map((row, i) => row.map((cell, j) => (cell === host[i]?.[j] ? cell : `${cell}${DIFFERS}`)));
  const differs = marked.flat().some((cell) => cell.endsWith(DIFFERS));
  return (
    section('Locality on the host', renderMatrix(rows, host)) +
    section('Locality in the guest before the conversion', uniform(before) ?? renderMatrix(rows, before)) +
    section(
      'Locality in the guest after the conversion',
      differs ? renderMatrix(rows, marked) : '  the same as on the host\n',
    ) +
    LEGEND +
    (differs ? `  ${DIFFERS}     differs from the host\n` : '') +
    relations(devices.map(({ bdf, ...device }) => ({ ...device, functions: [bdf] })))
  );
}

/** Renders a matrix as one line if all devices are equally near to each other; undefined otherwise. */
function uniform(cells: readonly (readonly NearnessCell[])[]): string | undefined {
  const [nearness, other] = new Set(cells.flatMap((row, i) => row.filter((_, j) => i !== j)));
  return other === undefined ? `  ${nearness} between all of them\n` : undefined;
}

/** Renders a matrix with the names of its rows as the titles of its columns. */
function renderMatrix(
  rows: readonly { readonly name: string; readonly device: string }[],
  cells: readonly (readonly (NearnessCell | string)[])[],
  tail?: { readonly title: string; readonly cells: readonly string[] },
): string {
  const names = Math.max(...rows.map(({ name }) => name.length));
  const devices = Math.max(...rows.map(({ device }) => device.length));
  const width = Math.max(names, ...cells.flat().map((cell) => cell.length));
  const line = (name: string, device: string, columns: readonly string[], end = '') =>
    `  ${name.padEnd(names)}  ${device.padEnd(devices)}  ${columns.map((cell) => cell.padEnd(width)).join(' ')}  ${end}`.trimEnd();
  const lines = rows.map(({ name, device }, i) => line(name, device, cells[i] ?? [], tail?.cells[i]));
  const head = line(
    '',
    '',
    rows.map(({ name }) => name),
    tail?.title,
  );
  return `${[head, ...lines].join('\n')}\n`;
}

/** Renders which of the other rows is the NIC of each DMA function in another PCI segment. */
function relations(devices: readonly Pick<LocalDevice, 'name' | 'functions' | 'dataDirect'>[]): string {
  const found = devices.flatMap(({ name, dataDirect }) => {
    if (!dataDirect) return [];
    const nics = devices.filter(({ functions }) => functions.some((bdf) => dataDirect.includes(bdf)));
    return [`${name} of ${nics.map((nic) => nic.name).join(' and ') || 'no known NIC'}`];
  });
  if (found.length === 0) return '';
  const isUnknown = found.some((each) => each.endsWith('no known NIC'));
  const hint = isUnknown ? '; run this as root on the host to find it' : '';
  return `\n${item(`DMA functions of NICs in another PCI segment (Data Direct): ${found.join(', ')}${hint}`, '  ')}`;
}

/** Formats the functions of a slot: `0000:01:00.0-1`. */
function functionsInWords(functions: LocalDevice['functions']): string {
  const [first = '', ...others] = functions;
  const last = others.at(-1);
  return last === undefined ? first : `${first}${others.length === 1 ? ',' : '-'}${last.slice(-1)}`;
}

/** Shortens the name of an SMMU to its address. */
function shorten(smmu: string): string {
  return smmu.replace(/^smmu3\.0x0*/, '0x');
}
