import { mkdirSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { totalsOf } from '../batch/history.js';
import { type DomainResult, isFailure, Tally, type Totals } from '../batch/item.js';
import { type Lock, type LockOptions, lockFolder } from '../batch/lock.js';
import type { OpenRun } from '../batch/open-run.js';
import { removeOrphanedFiles } from '../batch/orphaned-files.js';
import { State } from '../batch/state.js';
import { wrapIoError } from '../batch/wrap-io-error.js';
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
import { openOutput } from './render/batch.js';
import type { HtmlReport } from './render/batch-html.js';
import { summary } from './render/batch-rows.js';
import { printDiagnostics } from './report.js';
import { stateFolder } from './state-folder.js';

/** Returns how many domains to process in parallel. @throws InputError `usage` */
export function jobsOf(options: OptionValues): number {
  return number(options, 'jobs', 1, 64) ?? availableParallelism();
}

/** Returns a controller that is aborted by Ctrl-C or `kill`. */
export function interruption(): AbortController {
  const controller = new AbortController();
  const stop = () => {
    // A second signal aborts. Nothing is lost: the run can be resumed.
    if (controller.signal.aborted) process.exit(130);
    say('\nvsmmu: finishing the domains in progress; press Ctrl-C again to abort\n');
    controller.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  return controller;
}

/** Returns the state folder that the options name. */
export function openState(options: OptionValues): State {
  return new State(stateFolder(options));
}

/** Locks the state folder; returns undefined if the command changes nothing. Reports if it has to wait. */
export async function lockFor(options: OptionValues, needed = isSet(options, 'apply')): Promise<Lock | undefined> {
  if (!needed) return undefined;
  // A closed standard output (`| head`) does not stop the run.
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  return await openState(options).lock(lockOptions(options));
}

/**
 * Locks the folder that a run writes files to, and removes incomplete files that killed runs left in it. The lock on
 * the state folder is not enough: another run may use another state folder, or another path to this folder.
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
  await removeOrphanedFiles(folder);
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

/** How to run and report a batch. */
export interface BatchContext {
  readonly options: OptionValues;
  readonly stop: AbortController;
  /** Whether this is a dry run, which only reports. */
  readonly dry: boolean;
  /** The results of the earlier part of the run. */
  readonly before?: Totals;
  /** The number of domains, if known. */
  readonly total: () => Promise<number>;
  /** The report of --html. */
  readonly report?: HtmlReport | undefined;
  /** Returns further properties of the JSON document; called at the end. */
  readonly document: () => Readonly<Record<string, unknown>>;
  /** Called when every domain has a result. Returns false if the run must still be resumed. */
  readonly finish: (tally: Tally) => Promise<boolean>;
  /** Returns diagnostics to report once, if anything was changed or would be. */
  readonly warnings?: () => Promise<readonly Diagnostic[]>;
  /** Returns the last message, which names the next command, if any. `ended`: whether the run is complete. */
  readonly next: (tally: Tally, ended: boolean) => string | undefined;
}

/** Returns the context of a conversion. */
export function conversionContext({
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
      if (!open) return tally.changed ? 'nothing was changed; give --apply to make these changes' : undefined;
      if (!ended) return `to continue: vsmmu batch resume${state} ${open.run.id}`;
      const reversible = (tally.totals.converted ?? 0) > 0;
      return reversible ? `to undo: vsmmu batch rollback${state} --run ${open.run.id}` : undefined;
    },
  };
}

/** Quotes a word for a shell, if necessary. */
function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Runs a batch: reports each domain and prints a summary. @returns the exit code */
export async function runBatch(items: AsyncIterable<DomainResult>, context: BatchContext): Promise<number> {
  const { options, stop, report } = context;
  const tally = new Tally(context.before);
  const progress = await openProgress(context);
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
    finished = !stop.signal.aborted && (await context.finish(tally));
  } catch (thrown) {
    if (!(thrown instanceof DiagnosedError)) throw thrown;
    error = thrown;
  } finally {
    progress?.stop();
  }
  const warnings = tally.changed ? await context.warnings?.() : undefined;
  const diagnostics = inFile([...(error?.diagnostics ?? []), ...(warnings ?? [])]);
  printDiagnostics(diagnostics);
  output.end({ ...context.document(), totals: tally.totals, diagnostics, changed: tally.changed });
  const quiet = isSet(options, 'quiet');
  // If no domain was processed, the error message is enough.
  if (!quiet && !(error && tally.added === 0)) say(`vsmmu: ${summary(tally)}\n`);
  const next = context.next(tally, finished);
  if (!quiet && next !== undefined) say(`vsmmu: ${next}\n`);
  if (error) return exitCodeOf(error);
  if (stop.signal.aborted && !failFast) return 130;
  if (tally.failed) return 1;
  return finished ? 0 : 3;
}

async function openProgress({ options, total, dry }: BatchContext) {
  const wouldCorruptJson = isSet(options, 'json') && process.stdout.isTTY;
  if (!process.stderr.isTTY || isSet(options, 'quiet') || wouldCorruptJson) return undefined;
  const { Progress } = await import('./render/progress.js');
  return new Progress(await total(), { onlyFailures: !dry && process.stdout.isTTY });
}

/**
 * Opens the report of --html before the run begins; returns undefined without --html.
 * @param hostOf returns the host whose devices the picture of a domain shows
 * @throws EnvironmentError `file-unwritable`
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

/** Returns the facts about the run that the report shows. */
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

/** Adds the file name `vsmmu` to diagnostics of the whole batch, which belong to no file. */
function inFile(diagnostics: readonly Diagnostic[]): readonly (Diagnostic & { readonly file: string })[] {
  return diagnostics.map((d) => ({ file: 'vsmmu', ...d }));
}
