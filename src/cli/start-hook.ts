import { DiagnosedError, InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { command } from './commands/hook-run.js';
import { exitCodeOf } from './exit-code.js';
import { printDiagnostics } from './report.js';

/**
 * Runs `vsmmu hook run OPTION… -- GUEST …`, as the hook script calls it. It is separate from all other commands, so that
 * it loads as little code as possible: libvirt starts the guest only after it returns.
 */
async function main([, , , , ...argv]: readonly string[]): Promise<number> {
  try {
    const end = argv.indexOf('--');
    const options: Record<string, string | boolean> = {};
    for (let at = 0; at < end; ) {
      const name = argv[at++]?.replace(/^--/, '') ?? '';
      const type = command.options[name]?.type;
      if (type === 'boolean') options[name] = true;
      else if (type === 'string' && at < end) options[name] = argv[at++] ?? '';
      else throw new InputError(usage.unknown({ what: 'option', name: `--${name}, or its value is missing` }));
    }
    return (await command.run(argv.slice(end + 1), options)) ?? 0;
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    printDiagnostics(error.diagnostics.map((d) => ({ file: 'vsmmu', ...d })));
    return exitCodeOf(error);
  }
}

void main(process.argv).then((exitCode) => {
  process.exitCode = exitCode;
});
