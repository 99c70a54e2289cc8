import { spawnSync } from 'node:child_process';
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
export function vsmmu(args: readonly string[], input: string | Uint8Array = ''): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(REPOSITORY, 'bin/vsmmu'), ...args], {
    cwd: REPOSITORY,
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, CI: 'true' },
  });
  return { code: status, stdout, stderr };
}

/** A folder of its own for a test, gone when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
