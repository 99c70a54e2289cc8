import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The top of the repository; commands run there, so that paths in what they say are short. */
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** What a run of the tool gave. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bin/vsmmu` as a user would, with a text or bytes on standard input. */
export function vsmmu(
  args: readonly string[],
  input: string | Uint8Array = '',
  environment: NodeJS.ProcessEnv = {},
): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(REPOSITORY, 'bin/vsmmu'), ...args], {
    cwd: REPOSITORY,
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: 'C.UTF-8', CI: 'true', ...environment },
  });
  return { code: status, stdout, stderr };
}

/** A folder of its own for a test, gone when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `bin/vsmmu` on a terminal; gives what it showed. `keys` are typed as soon as a text is on it. */
export async function vsmmuAtTerminal(
  args: readonly string[],
  {
    environment = {},
    keys,
  }: { environment?: NodeJS.ProcessEnv; keys?: { readonly after: string; readonly type: string } } = {},
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const words = [process.execPath, join(REPOSITORY, 'bin/vsmmu'), ...args];
  const line = words.map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    cwd: REPOSITORY,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...environment },
  });
  let shown = '';
  let typed = keys === undefined;
  if (typed) child.stdin.end();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (typed || keys === undefined || !shown.includes(keys.after)) return;
    typed = true;
    child.stdin.write(keys.type);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, shown: shown.replaceAll('\r\n', '\n') };
}
