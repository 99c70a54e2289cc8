import { readHistory } from '../../batch/history.js';
import type { RunFolder } from '../../batch/state.js';
import { DiagnosedError, InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { printable } from '../../escape.js';
import { STATE_OPTIONS } from '../batch-options.js';
import { openState } from '../batch-run.js';
import type { Command } from '../command.js';
import { exitCodeOf } from '../exit-code.js';
import { print } from '../io/terminal.js';
import { isSet, type OptionValues, outputOptions } from '../options.js';
import { printDiagnostics, printJson } from '../report.js';

export const command: Command = {
  usage: 'batch list',
  subject: 'vsmmu',
  summary: 'list the stored runs',
  options: { ...STATE_OPTIONS, ...outputOptions('json') },
  examples: [['$0 batch list', '']],
  run,
};

/** A run in the list. */
interface Listed {
  readonly run: string;
  readonly began: string;
  /** Null if the run was interrupted or is in progress. */
  readonly ended: string | null;
  readonly of: string;
  readonly changed: number;
  readonly restored: number;
  readonly failed: number;
}

/** `vsmmu batch list`. */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  if (operands.length > 0) throw new InputError(usage.noOperand({ command: 'batch list', operand: operands[0] ?? '' }));
  const runs: Listed[] = [];
  let code = 0;
  const diagnostics = [];
  for (const folder of openState(options).runs()) {
    try {
      runs.push(await listed(folder));
    } catch (error) {
      // One broken journal does not hide the other runs.
      if (!(error instanceof DiagnosedError)) throw error;
      diagnostics.push(...error.diagnostics.map((d) => ({ file: folder.journal, ...d })));
      code = exitCodeOf(error);
    }
  }
  printDiagnostics(diagnostics);
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics, runs });
  else print(runs.map((each) => `${lineOf(each)}\n`).join(''));
  return code;
}

async function listed(folder: RunFolder): Promise<Listed> {
  const { header, changes, settled, ended } = await readHistory(folder);
  const { source } = header;
  // A domain that was begun but not finished is reported when the run is resumed.
  const all = [...changes.values()].filter(({ stored, undone }) => stored !== undefined || undone);
  const verdicts = [...settled.values()];
  return {
    run: folder.id,
    began: header.at,
    ended: ended ?? null,
    of: source.kind === 'libvirt' ? source.uri : source.out === null ? source.in : `${source.in} to ${source.out}`,
    changed: all.length + verdicts.filter((verdict) => verdict === 'written' || verdict === 'copied').length,
    restored: all.filter(({ undone }) => undone).length,
    failed: verdicts.filter((verdict) => verdict === 'failed' || verdict === 'refused').length,
  };
}

function lineOf({ run: id, ended, of, changed, restored, failed }: Listed): string {
  const counts = [`${changed} changed`, ...(failed > 0 ? [`${failed} failed`] : [])];
  if (restored > 0) counts.push(restored === changed ? 'rolled back' : `${restored} rolled back`);
  return printable(`${id}  ${ended === null ? 'unfinished' : 'finished  '}  ${of}  ${counts.join(', ')}`);
}
