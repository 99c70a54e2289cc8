import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

const ACL = ['user::rw-', 'user:1234:r--', 'group::r--', 'mask::r--', 'other::---'].join('\n');

/** The metadata that `give` sets. */
export const GIVEN = { acl: ACL, note: 'hello' };

/** Gives a file an access control list, an extended attribute or both. Uses tar, because setfacl may not be installed. */
export function give(file: string, { acl, note }: Partial<typeof GIVEN>): void {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  try {
    const keywords = [
      ...(acl === undefined ? [] : [`SCHILY.acl.access:=${acl}`]),
      ...(note === undefined ? [] : [`SCHILY.xattr.user.note:=${note}`]),
    ];
    const archive = join(folder, 'archive.tar');
    const where = ['--directory', dirname(file)];
    tar([
      '--create',
      '--format=pax',
      `--pax-option=${keywords.join(',')}`,
      '--file',
      archive,
      ...where,
      basename(file),
    ]);
    tar(['--extract', '--xattrs', '--xattrs-include=*', '--acls', '--file', archive, ...where]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The access control list and the extended attribute of a file. */
export function attributesOf(file: string): Partial<typeof GIVEN> {
  const args = ['--create', '--format=pax', '--xattrs', '--xattrs-include=user.*', '--acls', '--file=-'];
  const archive = tar([...args, '--directory', dirname(file), basename(file)]);
  const acl = /SCHILY\.acl\.access=((?:\w+:\w*:[-rwx]+\n?)+)/.exec(archive)?.[1]?.trim();
  const note = /SCHILY\.xattr\.user\.note=(.*)/.exec(archive)?.[1];
  return { ...(acl !== undefined && { acl }), ...(note !== undefined && { note }) };
}

function tar(args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('tar', args, {
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
