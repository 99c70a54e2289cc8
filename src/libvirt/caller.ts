import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** What virsh gives its editor, judged by virsh's command line. */
export type Editing =
  /** Started by the user: no virsh among the parent processes. */
  | 'file'
  /** The definition of a domain (`virsh edit`). */
  | 'definition'
  /** A saved state, a snapshot, a network: anything else that virsh has an edit command for. */
  | 'other'
  /** virsh was started as a shell, and what is typed into it is on no command line. */
  | 'unknown';

/** virsh's own options with a value of their own (virsh(1), 12.8). */
const VALUED = /^(-[cdekKl]|--(connect|debug|escape|keepalive-interval|keepalive-count|log))$/;

/** Which of virsh's edit commands its command line asks for. */
export function editingOf(argv: readonly string[]): Editing {
  const [program = '', ...args] = argv;
  if (basename(program) !== 'virsh') return 'file';
  let at = 0;
  while (at < args.length && args[at]?.startsWith('-') && args[at] !== '--') at += VALUED.test(args[at] ?? '') ? 2 : 1;
  if (args[at] === '--') at++;
  const [command, ...operands] = args.slice(at);
  if (command === undefined) return 'unknown';
  // A single argument is a line of virsh's own language, with any number of commands in it.
  const commands =
    operands.length > 0 ? [command] : command.split(/[;\n]/).map((part) => part.trim().split(/\s/)[0] ?? '');
  const edits = commands.filter((name) => /edit$/.test(name.replaceAll(/['"\\]/g, '')));
  if (edits.length === 0) return 'unknown';
  return edits.every((name) => name === 'edit') ? 'definition' : 'other';
}

/** How far up virsh is looked for: it starts its editor through a shell at most, and the editor may be a script. */
const GENERATIONS = 8;

/** What the virsh above this process, if one is, is editing. */
export function editingOfCaller(): Editing {
  let pid = process.ppid;
  for (let generation = 0; generation < GENERATIONS && pid > 1; generation++) {
    const process = readProcess(pid);
    if (!process) break;
    const editing = editingOf(process.argv);
    if (editing !== 'file') return editing;
    pid = process.parent;
  }
  return 'file';
}

/** proc(5): the command line, a NUL after each argument; the parent is the fourth field, the second in parentheses. */
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
