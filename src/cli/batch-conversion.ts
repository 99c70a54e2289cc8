import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Batch } from '../batch/batch.js';
import { hostFinder } from '../batch/hosts.js';
import type { Wanted } from '../batch/item.js';
import { OpenRun } from '../batch/open-run.js';
import { LibvirtBatch, runFolder } from '../batch/run.js';
import { countXml, requireFolder } from '../batch/walk.js';
import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import type { FolderSource, LibvirtSource, Settings } from '../generated/journal.js';
import type { Host } from '../host/host.js';
import { isRemote } from '../libvirt/uri.js';
import {
  conversionContext,
  interruption,
  jobsOf,
  lockFor,
  lockTarget,
  openReport,
  openState,
  runBatch,
} from './batch-run.js';
import { readHost } from './host.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { reportInstalled } from './place.js';
import { stateFolder } from './state-folder.js';
import { targetNames, targetOf } from './target.js';

/** The default libvirt URI of a batch. */
const DEFAULT_URI = 'qemu:///system';

/** Converts the domains that a command line of `batch convert` names. @returns the exit code */
export async function convertBatch(operands: readonly string[], options: OptionValues): Promise<number> {
  const source = sourceOf(operands, options);
  const settings = settingsOf(source, options);
  const host = await hostOf(source, options);
  const batch = { settings, host, target: await targetOf(settings) };
  if (source.kind === 'folder') return await convertFolder({ ...batch, source }, options);
  return await convertDomains({ ...batch, source }, isSet(options, 'all') ? 'all' : operands, options);
}

async function convertFolder(batch: Batch & { readonly source: FolderSource }, options: OptionValues): Promise<number> {
  const { source, host } = batch;
  const how = { jobs: jobsOf(options), want: wantOf(options), failFast: isSet(options, 'fail-fast') };
  requireFolder(source.in);
  const hostOf = host || source.map === null ? () => host : hostFinder({ map: source.map });
  using report = await openReport(options, ({ id, name }) => hostOf(id, name));
  const apply = isSet(options, 'apply');
  using _state = await lockFor(options);
  using _folder = apply ? await lockTarget(options, source) : undefined;
  const stop = interruption();
  await using open = apply ? await OpenRun.create(openState(options), batch) : undefined;
  const items = runFolder(batch, { ...how, signal: stop.signal }, open);
  const total = () => countXml(source.in);
  const warnings = () => reportInstalled(options);
  return await runBatch(items, { ...conversionContext({ options, stop, open, total, report }), warnings });
}

async function convertDomains(
  batch: Batch & { readonly source: LibvirtSource },
  names: readonly string[] | 'all',
  options: OptionValues,
): Promise<number> {
  const how = { jobs: jobsOf(options), want: wantOf(options), failFast: isSet(options, 'fail-fast') };
  using report = await openReport(options, () => batch.host);
  using lock = await lockFor(options);
  const stop = interruption();
  await using libvirt = LibvirtBatch.open(batch.source.uri, how.jobs, lock);
  const domains = await libvirt.select(names);
  await using open = isSet(options, 'apply') ? await OpenRun.create(openState(options), batch, domains) : undefined;
  const items = libvirt.run(batch, domains, { ...how, signal: stop.signal }, open);
  const total = async () => domains.length;
  return await runBatch(items, conversionContext({ options, stop, open, total, report }));
}

function sourceOf(operands: readonly string[], options: OptionValues): LibvirtSource | FolderSource {
  const dir = value(options, 'dir');
  const map = value(options, 'topology-map');
  if (dir === undefined) {
    for (const name of ['out', 'in-place', 'topology-map']) {
      if (options[name] !== undefined) throw new InputError(usage.requires({ option: `--${name}`, other: '--dir' }));
    }
    const all = isSet(options, 'all');
    if (all === operands.length > 0) throw new InputError(usage.give({ what: 'the names of domains, or --all' }));
    const uri = value(options, 'connect') ?? (process.env.LIBVIRT_DEFAULT_URI || DEFAULT_URI);
    if (/[^!-~]/.test(uri) || uri === '') {
      throw new InputError(usage.invalid({ value: JSON.stringify(uri), expected: 'a libvirt connection URI' }));
    }
    return { kind: 'libvirt', uri };
  }
  const [operand] = operands;
  if (operand !== undefined) throw new InputError(usage.noOperand({ command: 'batch convert --dir', operand }));
  for (const name of ['all', 'include-saved', 'ssh-topology']) {
    if (options[name] !== undefined) throw new InputError(usage.requires({ option: `--${name}`, other: '--connect' }));
  }
  const out = value(options, 'out');
  if (isSet(options, 'apply') && out === undefined && !isSet(options, 'in-place')) {
    throw new InputError(usage.needs({ option: '--apply with --dir', needed: '--out or --in-place' }));
  }
  const folder = resolve(dir);
  if (out !== undefined && isBelow(out, folder))
    throw new InputError(usage.belowFolder({ option: '--out', folder: '--dir' }));
  // The state folder contains XML files, which the run would convert too.
  if (isBelow(stateFolder(options), folder)) {
    throw new InputError(usage.belowFolder({ option: '--state', folder: '--dir' }));
  }
  return {
    kind: 'folder',
    in: folder,
    out: out === undefined ? null : resolve(out),
    map: map === undefined ? null : resolve(map),
  };
}

function isBelow(path: string, folder: string): boolean {
  const [inner, outer] = [resolveLinks(resolve(path)), resolveLinks(folder)];
  return `${inner}/`.startsWith(outer === '/' ? outer : `${outer}/`);
}

/** Resolves the symbolic links in an absolute path. Components that do not exist stay as they are. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === '/' ? path : join(resolveLinks(dirname(path)), basename(path));
  }
}

/**
 * Returns the settings of the run. Without --libvirt and --qemu, the target is the installed software for a local
 * libvirt, and current upstream for files and a remote libvirt.
 */
function settingsOf(source: LibvirtSource | FolderSource, options: OptionValues): Settings {
  const { libvirt = null, qemu = null } = targetNames(options, source.kind === 'libvirt' ? source.uri : undefined);
  return {
    policy: { ...policyOf(options) },
    forceTcg: isSet(options, 'force-tcg'),
    strict: isSet(options, 'strict'),
    saved: isSet(options, 'include-saved'),
    libvirt,
    qemu,
  };
}

async function hostOf(source: LibvirtSource | FolderSource, options: OptionValues): Promise<Host | undefined> {
  if (value(options, 'topology') === undefined) {
    if (source.kind === 'folder' && source.map !== null) return undefined;
    if (source.kind === 'libvirt' && isSet(options, 'ssh-topology')) {
      return await (await import('../batch/ssh-topology.js')).sshTopology(source.uri);
    }
    if (source.kind === 'libvirt' && isRemote(source.uri)) {
      throw new InputError(usage.otherMachine({ uri: source.uri, hint: 'give --topology FILE or --ssh-topology' }));
    }
  }
  return readHost(options, { features: true });
}

function wantOf(options: OptionValues): Wanted {
  return {
    // The pictures of a report show guest addresses, which are derived from the converted XML.
    texts: isSet(options, 'diff') || options.html !== undefined,
    plans: options.html !== undefined,
    details: isSet(options, 'json') || isSet(options, 'verbose') || options.html !== undefined,
  };
}
