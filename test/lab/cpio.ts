/** A cpio archive in the `newc` format, which Linux accepts as an initramfs (Documentation/driver-api/early-userspace). */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export type CpioEntry =
  | { readonly path: string; readonly kind: 'folder' }
  | { readonly path: string; readonly kind: 'file'; readonly data: Uint8Array; readonly executable: boolean }
  | { readonly path: string; readonly kind: 'link'; readonly target: string };

/** Packs the entries; a folder must precede its content. Paths are relative to /. */
export function packCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    const data = Buffer.from(entry.kind === 'file' ? entry.data : entry.kind === 'link' ? entry.target : '');
    parts.push(record(entry.path, modeOf(entry), index + 1, data));
  });
  parts.push(record('TRAILER!!!', 0, 0, Buffer.alloc(0)));
  return Buffer.concat(parts);
}

/** Returns the files, links and folders below `folder`, as entries below `prefix` (`''` for /). */
export async function readEntries(folder: string, prefix: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const found of await readdir(folder, { withFileTypes: true })) {
    const path = prefix === '' ? found.name : `${prefix}/${found.name}`;
    const source = join(folder, found.name);
    if (found.isDirectory()) entries.push({ path, kind: 'folder' }, ...(await readEntries(source, path)));
    else if (found.isSymbolicLink()) entries.push({ path, kind: 'link', target: await readlink(source) });
    else entries.push({ path, kind: 'file', data: await readFile(source), executable: true });
  }
  return entries;
}

function modeOf(entry: CpioEntry): number {
  if (entry.kind === 'folder') return 0o040755;
  if (entry.kind === 'link') return 0o120777;
  return entry.executable ? 0o100755 : 0o100644;
}

/** One member: a header of 13 numbers in eight hexadecimal digits, the name, the data, each padded to a multiple of four bytes. */
function record(path: string, mode: number, inode: number, data: Buffer): Buffer {
  const name = Buffer.from(`${path}\0`);
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([filled(Buffer.concat([Buffer.from(header), name])), filled(data)]);
}

function filled(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
