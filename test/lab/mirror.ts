/**
 * Finds the source of Debian packages in the apt configuration of this computer (mirror, proxies, certificates,
 * checks of an index's date), so that the lab contains no host name.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError, output } from './process.js';

/** The suite of the lab, with the newest libvirt and QEMU in Debian. */
export const suite = 'unstable';

export interface Mirror {
  /** Base address of the archive, as in a sources file: `<scheme>://<host>/debian`. */
  readonly uri: string;
  /** The key ring that debootstrap checks the archive's signature against. */
  readonly keyring: string;
  /** This computer's `Acquire` settings, in the form of a file in /etc/apt/apt.conf.d. */
  readonly aptConf: string;
}

/** Settings that describe this computer's index files, not the access to a mirror. */
const notAboutReaching = /^Acquire::(IndexTargets|Changelogs|CompressionTypes|cdrom)\b/;

/** Reads this computer's apt configuration. Throws LabError if it contains no Debian archive. */
export async function findMirror(): Promise<Mirror> {
  const dump = (await output(['apt-config', 'dump'])).split('\n');
  const uri = (await sources()).map(archiveAddress).find((found) => found !== undefined);
  if (uri === undefined) throw new LabError("this computer's apt sources name no Debian archive");
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  if (!existsSync(keyring)) throw new LabError('the package debian-archive-keyring is missing');
  const aptConf = dump.filter((line) => line.startsWith('Acquire::') && !notAboutReaching.test(line));
  return { uri, keyring, aptConf: `${aptConf.join('\n')}\n` };
}

/**
 * Returns the archive of a `deb` address in a sources file, or undefined if it is not Debian's main archive.
 * A frozen snapshot (`…/archive/debian/20250520T000000Z`) has its own `unstable`, which is used unchanged.
 */
export function archiveAddress(address: string): string | undefined {
  const trimmed = address.replace(/\/+$/, '');
  return /\/debian(\/\d{8}T\d{6}Z)?$/.test(trimmed) ? trimmed : undefined;
}

/** Every address in sources.list and sources.list.d, in both formats that apt reads (sources.list(5)). */
async function sources(): Promise<string[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = existsSync(folder) ? (await readdir(folder)).sort() : [];
  const files = ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))].filter((file) =>
    existsSync(file),
  );
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8');
    if (file.endsWith('.sources')) found.push(...deb822Addresses(text));
    else if (file.endsWith('.list')) found.push(...oneLineAddresses(text));
  }
  return found;
}

/** Returns the addresses of binary packages in a deb822 sources file. */
export function deb822Addresses(text: string): string[] {
  return text
    .replace(/^#.*\n?/gm, '')
    .split(/\n\s*\n/)
    .filter((stanza) => /^Types:.*\bdeb\b(?!-)/im.test(stanza) && !/^Enabled:\s*(no|false)/im.test(stanza))
    .flatMap((stanza) => /^URIs:\s*(.+(?:\n[ \t].+)*)/im.exec(stanza)?.[1]?.split(/\s+/) ?? [])
    .filter((address) => address.length > 0);
}

/** Returns the addresses of binary packages in a one-line sources file. */
export function oneLineAddresses(text: string): string[] {
  return [...text.matchAll(/^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s/gm)].map((match) => match[1] ?? '');
}
