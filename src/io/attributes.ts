import { spawn, spawnSync } from 'node:child_process';
import { describeIoError } from './errors.js';

/**
 * Copies mode, access control lists and extended attributes from one open file to another. Node cannot copy the latter
 * two, so cp(1) of the GNU coreutils does. It gets the open files, not their names.
 * @returns why they could not be copied; undefined if they were
 */
export function copyAttributes(from: number, to: number): string | undefined {
  const { error, status, stderr } = spawnSync(
    'cp',
    ['--attributes-only', '--preserve=mode,xattr', '/proc/self/fd/3', '/proc/self/fd/4'],
    { stdio: ['ignore', 'ignore', 'pipe', from, to], encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } },
  );
  if (error) return describeIoError(error);
  return status === 0 ? undefined : stderr.trim().split('\n', 1)[0] || `cp ended with ${status}`;
}

/** How `tar -vv` marks the mode of a file with an access control list (+) or with extended attributes (*). */
const MARKED = /^[-bcdlps][-rwxsStT]{9}[+*]/m;

/**
 * Whether a folder, or anything below it, has an access control list or extended attributes. One tar process checks
 * thousands of files, and GNU tar is on every host. If the archive is /dev/null, tar does not read the files.
 * @returns true also if it cannot be determined
 */
export async function hasAttributes(folder: string): Promise<boolean> {
  const keep = ['--xattrs', '--xattrs-include=user.*', '--xattrs-include=trusted.*', '--acls'];
  const args = ['--create', '--file=/dev/null', ...keep, '-vv', `--directory=${folder}`, '.'];
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, LC_ALL: 'C' } });
  return await new Promise((resolve) => {
    let rest = '';
    tar.stdout.setEncoding('latin1').on('data', (text: string) => {
      rest += text;
      if (MARKED.test(rest)) {
        resolve(true);
        tar.kill();
      }
      rest = rest.slice(rest.lastIndexOf('\n') + 1);
    });
    tar.once('error', () => resolve(true));
    // 1: a file changed during the check.
    tar.once('close', (code) => resolve(code !== 0 && code !== 1));
  });
}
