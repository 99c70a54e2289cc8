import { resolve } from 'node:path';
import { fileStore } from '../../batch/file-store.js';
import { filesInProgress } from '../../batch/folder.js';
import { type History, newestThatChanged, type PastChange } from '../../batch/history.js';
import { libvirtStore } from '../../batch/libvirt.js';
import { OpenRun } from '../../batch/open-run.js';
import { rollBack } from '../../batch/rollback.js';
import { LibvirtBatch } from '../../batch/run.js';
import { runUnknown } from '../../diagnostics/batch.js';
import { InputError } from '../../diagnostics/errors.js';
import { domainUnknown } from '../../diagnostics/libvirt.js';
import { usage } from '../../diagnostics/usage.js';
import { BATCH_VERBOSE, RUN_OPTIONS } from '../batch-options.js';
import { interruption, jobsOf, lockFor, lockTarget, openState, runBatch } from '../batch-run.js';
import type { Command } from '../command.js';
import { flag, isSet, type OptionValues, outputOptions, text, value } from '../options.js';

export const command: Command = {
  usage: 'batch rollback [NAME...]',
  subject: 'vsmmu',
  summary: 'restore the domains of a run as they were before, byte for byte',
  details: ['A domain that was edited since is reported and left as it is, unless --force is given.'],
  options: {
    run: text('the run to roll back', { defaultDescription: 'the last one' }),
    force: flag('also restore domains that were edited or removed since; the edits are lost'),
    ...RUN_OPTIONS,
    ...outputOptions('json', 'quiet'),
    ...BATCH_VERBOSE,
  },
  examples: [
    ['$0 batch rollback', 'all domains of the last run'],
    ['$0 batch rollback --run 0012-20261123T021500Z vm1 vm2', 'two domains of another run'],
  ],
  run,
};

/** `vsmmu batch rollback [NAME…]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  const state = openState(options);
  state.requireRuns();
  using lock = await lockFor(options, true);
  const stop = interruption();
  const name = value(options, 'run');
  const { open: reopened, history } = await OpenRun.reopen(
    name === undefined ? await newestThatChanged(state) : state.run(name),
  );
  await using open = reopened;
  const { run: folder, journal } = open;
  const { source } = history.header;
  if (source.kind === 'folder' && source.out !== null) {
    throw new InputError(runUnknown.elsewhere({ run: folder.id, folder: source.out }));
  }
  using _folder = await lockTarget(options, source);
  const changes = selected(history, operands);
  const jobs = jobsOf(options);
  await using libvirt = source.kind === 'libvirt' ? LibvirtBatch.open(source.uri, jobs, lock) : undefined;
  const files = fileStore(source.kind === 'folder' ? resolve(source.in) : '/');
  const stores = libvirt
    ? libvirt.connections.map(libvirtStore)
    : Array.from({ length: filesInProgress({ jobs, failFast: isSet(options, 'fail-fast') }) }, () => files);
  const force = isSet(options, 'force');
  return await runBatch(rollBack({ run: folder, journal, changes, stores, force, signal: stop.signal }), {
    options,
    stop,
    dry: false,
    total: async () => changes.length,
    document: () => ({ run: folder.id }),
    finish: async () => true,
    next: (_tally, ended) => (ended ? undefined : 'to continue, run the same command again'),
  });
}

/**
 * Returns the changes to roll back: all, or those of the named domains.
 * @throws InputError `domain-unknown`; `usage` for a name that several files have
 */
function selected({ changes }: History, names: readonly string[]): readonly PastChange[] {
  const all = [...changes.values()];
  if (names.length === 0) return all;
  const wanted = new Set(
    names.map((name) => {
      const byId = changes.get(name);
      const [found, ...others] = byId ? [byId] : all.filter(({ begin }) => begin.name === name);
      if (!found) throw new InputError(domainUnknown.run({ domain: name }));
      if (others.length === 0) return found;
      const files = [found, ...others].map(({ begin }) => begin.id).sort();
      throw new InputError(usage.ambiguous({ name, count: files.length, hint: `give one of ${files.join(', ')}` }));
    }),
  );
  return all.filter((change) => wanted.has(change));
}
