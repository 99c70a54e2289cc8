/**
 * A fake virsh that prints recorded output (12.8, `virsh --quiet` with commands on standard input). test/lab/recorded.test.ts
 * compares the recording with the real virsh.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../cli/run.js';

/** The domains of the recording; one has a name that is another's UUID without dashes. */
export const DOMAINS = [
  { uuid: '00000000-0000-4000-8000-000000000001', name: 'vm' },
  { uuid: '00000000-0000-4000-8000-000000000002', name: 'vm2' },
  { uuid: '00000000-0000-4000-8000-000000000003', name: '00000000000040008000000000000001' },
  { uuid: '00000000-0000-4000-8000-000000000004', name: '1' },
] as const;

const all = DOMAINS.map(({ uuid }) => `${uuid}\n`).join('');

/** What virsh prints for each command while all domains are shut off. */
export const RECORDED: Readonly<Record<string, string>> = {
  uri: 'qemu:///system\n',
  'list --all --uuid --name': `${[...DOMAINS]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ uuid, name }) => `${uuid} ${name}\n`)
    .join('')}`,
  'list --uuid --state-running': '',
  'list --uuid --state-paused': '',
  'list --uuid --all --state-shutoff': all,
  'list --uuid --all --persistent': all,
  'list --uuid --all --with-managed-save': '',
  'list --uuid --all --with-snapshot': '',
};

/** Reads commands as virsh does: words with quotes, several on a line. */
const SCRIPT = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
printf '%s\\n' "$*" >>started
answer() {
  if [ -f "$1.errors" ]; then
    printf '%s' "$(cat "$1.errors")" | sed 's/$/\\n/' >&2
    [ ! -f "$1.once" ] || rm "$1.errors"
  fi
  if [ -f "$1" ]; then cat "$1"; else printf 'error: no recording of %s\\n' "$1" >&2; fi
  [ ! -f "$1.next" ] || mv "$1.next" "$1"
}
replay() {
  printf '%s\\n' "$*" >>asked
  answer "$*"
}
echo() { if [ "$1" = --err ]; then printf 'error: %s\\n' "$2" >&2; else printf '%s' "$1"; fi; }
uri() { replay uri; }
list() { replay list "$@"; }
domstate() { replay domstate "$@"; }
dumpxml() {
  printf 'dumpxml %s\\n' "$*" >>asked
  answer "dumpxml $1"
}
define() {
  printf 'define %s\\n' "$1" >>asked
  for file; do :; done
  cat "$file" >defined
}
while IFS= read -r line; do
  printf 'virsh # %s\\n' "$line"
  eval "$(printf '%s' "$line" | sed 's/; \\(snapshot-list\\|qemu-monitor-command\\)/; replay \\1/; s/^qemu-monitor/replay &/')"
done
`;

/** A fake virsh with recorded output. */
export interface RecordedVirsh {
  /** The commands that it received, one per line. */
  asked(): readonly string[];
  /** The arguments of each start. */
  started(): readonly string[];
  /** The XML that was defined. */
  defined(): string | undefined;
  /** Changes a domain, now or after the next read. */
  put(uuid: string, xml: string, when?: 'now' | 'later'): void;
  /** Makes it print a line on standard error before its output for a command. */
  complain(command: string, line: string, when?: 'always' | 'once'): void;
  /** Changes its output for a command. */
  answer(command: string, output: string): void;
}

/** Puts the fake virsh first in PATH until the test ends. @param xmlOf the definition of each domain */
export function withRecordedVirsh(xmlOf: (domain: (typeof DOMAINS)[number]) => string): RecordedVirsh {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'virsh'), SCRIPT, { mode: 0o755 });
  for (const [command, output] of Object.entries(RECORDED)) writeFileSync(join(folder, command), output);
  const put: RecordedVirsh['put'] = (uuid, xml, when = 'now') =>
    writeFileSync(join(folder, `dumpxml ${uuid}${when === 'later' ? '.next' : ''}`), xml);
  for (const domain of DOMAINS) put(domain.uuid, xmlOf(domain));
  const { PATH = '' } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  const read = (name: string): string | undefined =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined;
  return {
    asked: () => (read('asked') ?? '').trimEnd().split('\n'),
    started: () => (read('started') ?? '').split('\n').slice(0, -1),
    defined: () => read('defined'),
    put,
    complain: (command, line, when = 'always') => {
      writeFileSync(join(folder, `${command}.errors`), line);
      if (when === 'once') writeFileSync(join(folder, `${command}.once`), '');
    },
    answer: (command, output) => {
      mkdirSync(dirname(join(folder, command)), { recursive: true });
      writeFileSync(join(folder, command), output);
    },
  };
}
