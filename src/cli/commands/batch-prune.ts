import { readHistory } from '../../batch/history.js';
import type { RunFolder } from '../../batch/state.js';
import { DiagnosedError, InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { number, STATE_OPTIONS } from '../batch-options.js';
import { lockFor, openState } from '../batch-run.js';
import type { Command } from '../command.js';
import { print } from '../io/terminal.js';
import { isSet, type OptionValues, outputOptions, text } from '../options.js';
import { printJson } from '../report.js';

export const command: Command = {
  usage: 'batch prune [RUN...]',
  subject: 'vsmmu',
  summary: 'remove stored runs with their backups; they can then no longer be rolled back',
  options: {
    keep: text('keep this many of the newest runs, remove the others'),
    days: text('remove runs that are older than this many days'),
    ...STATE_OPTIONS,
    ...outputOptions('json'),
  },
  examples: [['$0 batch prune --keep 3', 'keep the last three runs']],
  run,
};

/** `vsmmu batch prune [RUN…]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const state = openState(options);
  const keep = number(options, 'keep', 0, 1_000_000);
  const days = number(options, 'days', 0, 100_000);
  if (operands.length === 0 && keep === undefined && days === undefined) {
    throw new InputError(usage.give({ what: 'the runs to remove, --keep N or --days N' }));
  }
  // If there are no runs, the state folder is not created just to lock it.
  using _lock = await lockFor(options, state.runs().length > 0);
  const named = operands.map((name) => state.run(name));
  const all = state.runs();
  const since = new Date(Date.now() - (days ?? 0) * 24 * 3600 * 1000).toISOString();
  const old: RunFolder[] = [];
  if (keep !== undefined || days !== undefined) {
    for (const folder of all.slice(0, keep === undefined ? undefined : Math.max(0, all.length - keep))) {
      if (await isDisposable(folder, days === undefined ? undefined : since)) old.push(folder);
    }
  }
  const removed = [...new Map([...named, ...old].map((folder) => [folder.id, folder])).values()];
  for (const folder of removed) folder.remove();
  const ids = removed.map(({ id }) => id);
  if (isSet(options, 'json')) printJson({ changed: ids.length > 0, diagnostics: [], removed: ids });
  else print(ids.map((id) => `removed ${id}\n`).join(''));
}

/** Whether a run may be removed without being named. An interrupted run may not: its domains may still need it. */
async function isDisposable(folder: RunFolder, since: string | undefined): Promise<boolean> {
  try {
    const { ended, header } = await readHistory(folder);
    return ended !== undefined && (since === undefined || header.at < since);
  } catch (error) {
    if (error instanceof DiagnosedError) return false;
    throw error;
  }
}
