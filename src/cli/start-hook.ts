import { DiagnosedError, diagnostic, InputError } from '../diagnostics.js';
import { exitCodeOf } from './exit-code.js';
import { run } from './hook-run.js';
import { printDiagnostics } from './report.js';

/** The options of `hook run` that have a value, and that have none. */
const VALUED: ReadonlySet<string> = new Set([
  'policy',
  'hook',
  'log',
  'limit',
  'state',
  'sysfs',
  'topology',
  'libvirt',
  'qemu',
]);
const SWITCHES: ReadonlySet<string> = new Set(['convert-on-stop', 'force-tcg']);

/**
 * `vsmmu hook run OPTION… -- GUEST …`, as the hook's script calls it, apart from all other commands: it stands between a
 * user and the start of a guest, and what is not loaded costs nothing.
 */
async function main([, , , , ...argv]: readonly string[]): Promise<number> {
  try {
    const end = argv.indexOf('--');
    const options: Record<string, string | boolean> = {};
    for (let at = 0; at < end; ) {
      const name = argv[at++]?.replace(/^--/, '') ?? '';
      if (SWITCHES.has(name)) options[name] = true;
      else if (VALUED.has(name) && at < end) options[name] = argv[at++] ?? '';
      else throw new InputError(diagnostic('usage', `hook run has no option ${name}, or not without a value`));
    }
    return await run(argv.slice(end + 1), options);
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    printDiagnostics(error.diagnostics.map((d) => ({ file: 'vsmmu', ...d })));
    return exitCodeOf(error);
  }
}

void main(process.argv).then((exitCode) => {
  process.exitCode = exitCode;
});
