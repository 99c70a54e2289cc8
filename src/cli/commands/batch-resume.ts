import type { Batch } from '../../batch/batch.js';
import { settle } from '../../batch/change.js';
import { newestUnfinished, settledIds } from '../../batch/history.js';
import type { DomainResult } from '../../batch/item.js';
import { OpenRun } from '../../batch/open-run.js';
import { LibvirtBatch, runFolder } from '../../batch/run.js';
import { countXml } from '../../batch/walk.js';
import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { BATCH_VERBOSE, RUN_OPTIONS } from '../batch-options.js';
import { conversionContext, interruption, jobsOf, lockFor, lockTarget, openState, runBatch } from '../batch-run.js';
import type { Command } from '../command.js';
import { isSet, type OptionValues, outputOptions } from '../options.js';
import { targetOf } from '../target.js';

export const command: Command = {
  usage: 'batch resume [RUN]',
  subject: 'vsmmu',
  summary: 'continue an interrupted run',
  options: { ...RUN_OPTIONS, ...outputOptions('json', 'quiet'), ...BATCH_VERBOSE },
  examples: [['$0 batch resume', 'the last run']],
  run,
};

/** `vsmmu batch resume [RUN]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  const [name, more] = operands;
  if (more !== undefined) throw new InputError(usage.single({ what: 'run', count: operands.length }));
  const state = openState(options);
  state.requireRuns();
  using lock = await lockFor(options, true);
  const stop = interruption();
  const { open: reopened, history } = await OpenRun.reopen(
    name === undefined ? await newestUnfinished(state) : state.run(name),
  );
  await using open = reopened;
  const { source, settings } = history.header;
  const host = source.kind === 'folder' && source.map !== null ? undefined : open.run.host();
  const batch: Omit<Batch, 'source'> = { settings, host, target: await targetOf(settings) };
  const how = {
    jobs: jobsOf(options),
    want: { texts: false, plans: false, details: isSet(options, 'json') || isSet(options, 'verbose') },
    failFast: isSet(options, 'fail-fast'),
    signal: stop.signal,
  };
  using _folder = await lockTarget(options, source);
  if (source.kind === 'folder') {
    const items = runFolder({ ...batch, source }, how, open);
    const done = settledIds(history).size;
    const total = async () => Math.max(0, (await countXml(source.in)) - done);
    return await runBatch(items, conversionContext({ options, stop, open, total }));
  }
  await using libvirt = LibvirtBatch.open(source.uri, how.jobs, lock);
  const { domains, gone } = await libvirt.remaining(history);
  const items = withGone(open, gone, libvirt.run({ ...batch, source }, domains, how, open));
  const total = async () => domains.length + gone.length;
  return await runBatch(items, conversionContext({ options, stop, open, total }));
}

/** Yields results for the domains that no longer exist, then those for the others. */
async function* withGone(
  open: OpenRun,
  gone: readonly DomainResult[],
  items: AsyncIterable<DomainResult>,
): AsyncGenerator<DomainResult> {
  for (const item of gone) yield await settle(open.journal, item);
  yield* items;
}
