/**
 * `npm run test:libvirt-domains`: runs `vsmmu check --no-host` on every domain of libvirt's own test suite, from the source
 * package of a Debian release. A domain that libvirt's tests accept, and that has no SMMU with a `pciBus`, must have no error.
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from '../../src/check/check.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { DiagnosedError } from '../../src/diagnostics/errors.js';
import { readDomain } from '../../src/domain/domain.js';
import { findMirror } from './mirror.js';
import { LabError, output } from './process.js';

const DOMAINS = 'tests/qemuxmlconfdata';

/** Downloads a file with this computer's apt. If a checksum is given, the file must have it. */
async function download(address: string, file: string, sum?: string): Promise<void> {
  const checked = sum === undefined ? [] : [`SHA256:${sum}`];
  await output([
    '/usr/lib/apt/apt-helper',
    '-o',
    'APT::Sandbox::User=root',
    'download-file',
    address,
    file,
    ...checked,
  ]);
}

/** Finds the original source of libvirt in a suite in the archive's index: version, address and checksum. */
async function findSource(mirror: string, suite: string, folder: string) {
  const index = join(folder, 'Sources.xz');
  await download(`${mirror}/dists/${suite}/main/source/Sources.xz`, index);
  const stanza = (await output(['xzcat', index])).split('\n\n').find((each) => /^Package: libvirt$/m.test(each)) ?? '';
  const [, version = ''] = /^Version: (\S+)$/m.exec(stanza) ?? [];
  const [, location = ''] = /^Directory: (\S+)$/m.exec(stanza) ?? [];
  const [, sum = '', name = ''] =
    /^Checksums-Sha256:[\s\S]*?\n ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$/m.exec(stanza) ?? [];
  if (name === '') throw new LabError(`the archive has no source of libvirt in ${suite}`);
  return { version, address: `${mirror}/${location}/${name}`, sum };
}

/** Returns the diagnostics of a check of one domain, including errors in reading it. */
function findings(xml: Uint8Array): { found: readonly Diagnostic[]; vsmmus: boolean } {
  try {
    const domain = readDomain(xml);
    return { found: check(domain, undefined), vsmmus: domain.iommus.some(({ pciBus }) => pciBus !== undefined) };
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    return { found: error.diagnostics, vsmmus: false };
  }
}

async function main(suite: string): Promise<number> {
  const { uri } = await findMirror();
  const folder = await mkdtemp(join(tmpdir(), 'vsmmu-libvirt-'));
  try {
    const { version, address, sum } = await findSource(uri, suite, folder);
    const archive = join(folder, 'libvirt.tar');
    await download(address, archive, sum);
    const tree = join(folder, 'tree');
    await mkdir(tree);
    await output(['tar', '-xf', archive, '-C', tree, '--strip-components=1', '--wildcards', `*/${DOMAINS}/*`]);
    return await judge(join(tree, DOMAINS), version);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function judge(folder: string, version: string): Promise<number> {
  const names = await readdir(folder);
  const domains = names.filter((name) => name.endsWith('.xml'));
  // libvirt refuses NAME.xml if NAME.….err has the error message, and no NAME.….args has a command line.
  const stems = (suffix: string) => new Set(names.filter((n) => n.endsWith(suffix)).map((n) => n.split('.')[0] ?? ''));
  const [refused, started] = [stems('.err'), stems('.args')];
  let invalid = 0;
  let ofBuses = 0;
  const alarms: string[] = [];
  for (const name of domains) {
    const { found, vsmmus } = findings(await readFile(join(folder, name)));
    const stem = name.split('.')[0] ?? '';
    const errors = found.filter(({ severity }) => severity === 'error');
    if (vsmmus) ofBuses++;
    if (refused.has(stem) && !started.has(stem)) invalid += errors.length > 0 ? 1 : 0;
    else if (!vsmmus) alarms.push(...errors.map(({ code, message }) => `${name}: ${code}: ${message}`));
  }
  const sums = `${domains.length} domains, ${ofBuses} with an SMMU of a bus, ${invalid} that both libvirt's tests and vsmmu refuse`;
  process.stdout.write(`libvirt ${version}: ${sums}, ${alarms.length} false alarms\n`);
  for (const alarm of alarms) process.stdout.write(`  ${alarm}\n`);
  return alarms.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv[2] ?? 'trixie');
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 3;
}
