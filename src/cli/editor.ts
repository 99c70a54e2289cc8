import { spawn, spawnSync } from 'node:child_process';
import { EnvironmentError } from '../diagnostics/errors.js';
import { editorFailed } from '../diagnostics/integrations.js';

/** Set in the environment of the editor, so that vsmmu does not start itself again. */
const INSIDE = 'VSMMU_EDITING';

/** Whether an editor command is `vsmmu edit` itself, with any path and any options. */
function isVsmmuEdit(command: string): boolean {
  return /(^|[\s/'"])vsmmu(\.cjs)?['"]?\s+(['"]?edit\b)/.test(command);
}

/** Returns the user's editor, a command of one or more words; undefined if there is none. */
export function userEditor(environment: NodeJS.ProcessEnv): string | undefined {
  const { VSMMU_EDITOR, VISUAL, EDITOR } = environment;
  const chosen = [VSMMU_EDITOR, VISUAL, EDITOR].find((command) => command?.trim() && !isVsmmuEdit(command));
  return chosen ?? ['sensible-editor', 'vi'].find(isInstalled);
}

function isInstalled(program: string): boolean {
  return spawnSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

/**
 * Runs the user's editor on a file and waits until it ends. As in git and virsh, a shell interprets the editor command,
 * but not the file name.
 * @throws EnvironmentError `editor-failed`
 */
export async function edit(file: string): Promise<void> {
  if (process.env[INSIDE]) throw new EnvironmentError(editorFailed.recursive({ file: 'vsmmu' }));
  const editor = userEditor(process.env);
  if (editor === undefined) throw new EnvironmentError(editorFailed.missing({ file: 'vsmmu' }));
  const child = spawn('/bin/sh', ['-c', `${editor} "$@"`, editor, file], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...ended) => resolve(ended));
  });
  if (code !== 0)
    throw new EnvironmentError(
      editorFailed.ended({ editor, status: signal ? `signal ${signal}` : `exit code ${code}`, file: 'vsmmu' }),
    );
}
