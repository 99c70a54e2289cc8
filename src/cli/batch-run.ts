import { mkdirSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { totalsOf } from '../batch/history.js';
import { type DomainResult, isFailure, Tally, type Totals } from '../batch/item.js';
import { removeLeftovers } from '../batch/leftovers.js';
import { type Lock, type LockOptions, lockFolder } from '../batch/lock.js';
import type { OpenRun } from '../batch/open-run.js';
import { wrapIoError } from '../batch/outside.js';
import { State } from '../batch/state.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { DiagnosedError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import type { FolderSource, LibvirtSource } from '../generated/journal.js';
import type { Host } from '../host/host.js';
import { VERSION } from '../version.js';
import { number, waitOf } from './batch-options.js';
import { exitCodeOf } from './exit-code.js';
import { say } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { openOutput, summary } from './render/batch.js';
import type { HtmlReport } from './render/batch-html.js';
import { printDiagnostics } from './report.js';
import { stateFolder } from './state-folder.js';

/** How many domains at a time. @throws InputError `usage` */
export function jobsOf(options: OptionValues): number {
  return number(options, 'jobs', 1, 64) ?? availableParallelism();
}

/** A signal that is aborted by Ctrl-C or `kill`. */
export function interruption(): AbortController {
  const controller = new AbortController();
  const stop = () => {
    // Who asks twice is not kept waiting; nothing is lost by it.
    if (controller.signal.aborted) process.exit(130);
    say('\nvsmmu: finishing what is in hand; once more to end at once\n');
    controller.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  return controller;
}

/** The folder of runs that the options name. */
export function openState(options: OptionValues): State {
  return new State(stateFolder(options));
}

/** The lock on that folder; none for what only looks. Says so while it waits. */
export async function lockFor(options: OptionValues, needed = isSet(options, 'apply')): Promise<Lock | undefined> {
  if (!needed) return undefined;
  // A closed standard output (`| head`) does not stop the run.
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  return await openState(options).lock(lockOptions(options));
}

/**
 * Locks the folder that a run writes files to, which may have other names and other runs may know by another state folder,
 * and removes what killed runs left there.
 */
export async function lockTarget(
  options: OptionValues,
  source: FolderSource | LibvirtSource,
): Promise<Lock | undefined> {
  if (source.kind !== 'folder') return undefined;
  const { out } = source;
  if (out !== null) wrapIoError(fileUnwritable, out, () => mkdirSync(out, { recursive: true }));
  const folder = out ?? source.in;
  const lock = await lockFolder(folder, lockOptions(options));
  await removeLeftovers(folder);
  return lock;
}

function lockOptions(options: OptionValues): LockOptions {
  return {
    waitSeconds: waitOf(options),
    onWait: (holder) => {
      const who = holder === '' ? '' : ` (process ${holder})`;
      if (!isSet(options, 'quiet')) say(`vsmmu: waiting for another run${who} to end\n`);
    },
  };
}

/** How to go through a batch. */
export interface BatchContext {
  readonly options: OptionValues;
  readonly stop: AbortController;
  /** Whether it is a dry run, which only reports. */
  readonly dry: boolean;
  /** The results of the earlier part of the run. */
  readonly before?: Totals;
  /** The number of domains, if known. */
  readonly total: () => Promise<number>;
  /** The report of --html. */
  readonly report?: HtmlReport | undefined;
  /** What the document of --json has beside the domains; asked at the end. */
  readonly document: () => Readonly<Record<string, unknown>>;
  /** Called when every domain has its result. Returns false if the run has to be resumed nevertheless. */
  readonly finish: (tally: Tally) => Promise<boolean>;
  /** Returns what to report once where something was changed, or would be. */
  readonly warnings?: () => Promise<readonly Diagnostic[]>;
  /** What to say at the end: what can be done now, or how to go on when it ended before. */
  readonly next: (tally: Tally, ended: boolean) => string | undefined;
}

/** A conversion's way. */
export function goingOf({
  options,
  stop,
  open,
  total,
  report,
}: Pick<BatchContext, 'options' | 'stop' | 'total' | 'report'> & { readonly open: OpenRun | undefined }): BatchContext {
  const state = value(options, 'state') === undefined ? '' : ` --state ${shellWord(stateFolder(options))}`;
  return {
    options,
    stop,
    dry: open === undefined,
    ...(open?.history && { before: totalsOf(open.history) }),
    total,
    report,
    document: () => ({ run: open?.kept ? open.run.id : null }),
    finish: async (tally) => (open ? await open.end(tally) : true),
    next: (tally, ended) => {
      if (!open) return tally.changed ? 'nothing is changed yet; --apply does it' : undefined;
      if (!ended) return `to go on: vsmmu batch resume${state} ${open.run.id}`;
      const reversible = (tally.totals.converted ?? 0) > 0;
      return reversible ? `to go back: vsmmu batch rollback${state} --run ${open.run.id}` : undefined;
    },
  };
}

/** A word as a shell takes it, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Runs a batch: reports each domain and prints a summary. @returns the exit code */
export async function runBatch(items: AsyncIterable<DomainResult>, going: BatchContext): Promise<number> {
  const { options, stop, report } = going;
  const tally = new Tally(going.before);
  const progress = await openProgress(going);
  const output = await openOutput(options, progress);
  let failFast = false;
  let finished = false;
  let error: DiagnosedError | undefined;
  try {
    for await (const item of items) {
      tally.add(item);
      output.item(item);
      await report?.item(item);
      progress?.step();
      if (isFailure(item) && isSet(options, 'fail-fast') && !stop.signal.aborted) {
        failFast = true;
        stop.abort();
      }
    }
    report?.end(tally);
    finished = !stop.signal.aborted && (await going.finish(tally));
  } catch (thrown) {
    if (!(thrown instanceof DiagnosedError)) throw thrown;
    error = thrown;
  } finally {
    progress?.stop();
  }
  const warnings = tally.changed ? await going.warnings?.() : undefined;
  const diagnostics = inFile([...(error?.diagnostics ?? []), ...(warnings ?? [])]);
  printDiagnostics(diagnostics);
  output.end({ ...going.document(), totals: tally.totals, diagnostics, changed: tally.changed });
  const quiet = isSet(options, 'quiet');
  // Where not one domain was come to, why says it all.
  if (!quiet && !(error && tally.added === 0)) say(`vsmmu: ${summary(tally)}\n`);
  const next = going.next(tally, finished);
  if (!quiet && next !== undefined) say(`vsmmu: ${next}\n`);
  if (error) return exitCodeOf(error);
  if (stop.signal.aborted && !failFast) return 130;
  if (tally.failed) return 1;
  return finished ? 0 : 3;
}

async function openProgress({ options, total, dry }: BatchContext) {
  // A progress bar would corrupt a JSON document.
  const inTheWay = isSet(options, 'json') && process.stdout.isTTY;
  if (!process.stderr.isTTY || isSet(options, 'quiet') || inTheWay) return undefined;
  const { Progress } = await import('./render/progress.js');
  return new Progress(await total(), { onlyFailures: !dry && process.stdout.isTTY });
}

/**
 * The report of --html, opened before anything is done. @param hostOf whose devices the picture of a domain shows
 * @throws OutsideError `file-unwritable`
 */
export async function openReport(
  options: OptionValues,
  hostOf: (item: DomainResult) => Host | undefined,
): Promise<HtmlReport | undefined> {
  const file = value(options, 'html');
  if (file === undefined) return undefined;
  const { HtmlReport } = await import('./render/batch-html.js');
  return new HtmlReport(file, hostOf, factsOf(options));
}

/** What a report says of the run. */
function factsOf(options: OptionValues): Readonly<Record<string, string>> {
  const given = Object.entries(options).flatMap(([name, each]) => {
    const values = [each].flat();
    return values.map((one) => (one === true ? `--${name}` : `--${name} ${shellWord(String(one))}`));
  });
  return {
    Host: value(options, 'topology') ?? value(options, 'topology-map') ?? value(options, 'connect') ?? hostname(),
    Date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    Version: `vsmmu ${VERSION}`,
    Options: given.join(' ') || 'none',
  };
}

/** What is said of the batch as a whole, and not of a file. */
function inFile(diagnostics: readonly Diagnostic[]): readonly (Diagnostic & { readonly file: string })[] {
  return diagnostics.map((d) => ({ file: 'vsmmu', ...d }));
}
