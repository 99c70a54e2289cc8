import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** The kind of file that virsh passes to its editor, according to virsh's command line. */
export type Editing =
  /** Started by the user: no virsh among the parent processes. */
  | 'file'
  /** The definition of a domain (`virsh edit`). */
  | 'definition'
  /** A saved state, a snapshot, a network: anything else that virsh has an edit command for. */
  | 'other'
  /** virsh runs as an interactive shell, so its command line does not show what is edited. */
  | 'unknown';

/** virsh's own options that take a separate value (virsh(1), 12.8). */
const OPTION_WITH_VALUE = /^(-[cdekKl]|--(connect|debug|escape|keepalive-interval|keepalive-count|log))$/;

/** Returns what a virsh with this command line edits. */
export function editingOf(argv: readonly string[]): Editing {
  const [program = '', ...args] = argv;
  if (basename(program) !== 'virsh') return 'file';
  let at = 0;
  while (args[at]?.startsWith('-') && args[at] !== '--') at += OPTION_WITH_VALUE.test(args[at] ?? '') ? 2 : 1;
  if (args[at] === '--') at++;
  const command = args[at];
  if (command === undefined) return 'unknown';
  // A single argument is a line in virsh's own syntax, with any number of commands in it.
  const commands = command.split(/[;\n]/).map((part) => part.trim().split(/\s/)[0] ?? '');
  const edits = commands.filter((name) => /edit$/.test(name.replaceAll(/['"\\]/g, '')));
  if (edits.length === 0) return 'unknown';
  return edits.every((name) => name === 'edit') ? 'definition' : 'other';
}

/** How many ancestor processes to search for virsh: it starts its editor directly or through a shell, and the editor may be a script. */
const MAX_ANCESTORS = 8;

/**
 * Searches a process and its ancestors for virsh, and returns what that virsh edits; `file` if none of them is virsh.
 * @param start the process ID to start at; default: the parent of vsmmu
 */
export function editingOfCaller(start = process.ppid): Editing {
  let pid = start;
  for (let generation = 0; generation < MAX_ANCESTORS && pid > 1; generation++) {
    const process = readProcess(pid);
    if (!process) break;
    const editing = editingOf(process.argv);
    if (editing !== 'file') return editing;
    pid = process.parent;
  }
  return 'file';
}

/**
 * Reads a process from /proc (proc(5)). In `cmdline` each argument ends with a NUL; in `stat` the parent is the fourth
 * field, and the second is in parentheses.
 */
function readProcess(pid: number): { readonly argv: readonly string[]; readonly parent: number } | undefined {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { argv, parent: Number(fields[1]) };
  } catch {
    return undefined;
  }
}
