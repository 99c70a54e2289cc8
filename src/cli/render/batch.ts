import { isSet, type OptionValues } from '../options.js';
import { DiffOutput } from './batch-diff.js';
import { JsonOutput } from './batch-json.js';
import type { BatchOutput, Differ } from './batch-rows.js';
import { TableOutput } from './batch-table.js';
import type { Progress } from './progress.js';

/** Returns the output that the options ask for. */
export async function openOutput(options: OptionValues, progress: Progress | undefined): Promise<BatchOutput> {
  if (isSet(options, 'json')) return new JsonOutput(await differ(options));
  if (isSet(options, 'diff')) return new DiffOutput(await differ(options), options, progress);
  return new TableOutput(options, progress);
}

async function differ(options: OptionValues): Promise<Differ> {
  if (!isSet(options, 'diff')) return () => undefined;
  const { unifiedDiff } = await import('./diff.js');
  return ({ id, texts }) => texts && unifiedDiff(id, texts.before, texts.after);
}
