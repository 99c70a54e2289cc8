import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exposedPart, hookScript } from '../../src/libvirt/hook-file.js';
import { REPOSITORY, type Run, temporaryFolder } from '../cli/run.js';

/** Runs `vsmmu hook install` for a version of libvirt. */
function install(version: string, folder: string): Run {
  const bin = temporaryFolder();
  writeFileSync(join(bin, 'virsh'), `#!/bin/sh\necho ${version}\n`);
  chmodSync(join(bin, 'virsh'), 0o755);
  const argv = [join(REPOSITORY, 'bin/vsmmu'), 'hook', 'install', '--dir', folder];
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { env, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

describe('a file that other users than root can change', () => {
  it('is not a system file, nor a missing file', () => {
    expect(exposedPart('/etc/passwd')).toBeUndefined();
    expect(exposedPart('/no/where')).toBeUndefined();
  });

  it('is a file that all users can write, or one below such a folder', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'file');
    writeFileSync(file, '');
    chmodSync(folder, 0o777);
    chmodSync(file, 0o666);
    expect(exposedPart(file)).toBe(file);
    expect(exposedPart(folder)).toBe(folder);
  });
});

describe('the hook’s script', () => {
  it.each([
    ['6.5.0', 'qemu.d/vsmmu'],
    ['12.8.0', 'qemu.d/vsmmu'],
    ['6.4.0', 'qemu'],
    ['5.10.0', 'qemu'],
  ])('is installed for libvirt %s as %s', (version, location) => {
    const folder = temporaryFolder();
    expect(install(version, folder).code).toBe(0);
    expect(existsSync(join(folder, location))).toBe(true);
  });

  it('does not overwrite the only hook that an old libvirt runs', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'qemu'), '#!/bin/sh\nexit 0\n');
    expect(install('6.4.0', folder)).toMatchObject({ code: 1, stderr: expect.stringContaining('hook-foreign') });
    expect(readFileSync(join(folder, 'qemu'), 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  });

  it('has its values quoted for the shell, whatever they contain', () => {
    const odd = `/it's a "$(touch oops)" \`id\` \\ path`;
    const settings = {
      node: odd,
      vsmmu: odd,
      policy: odd,
      mode: 'warn',
      log: '',
      limitSeconds: 5,
      options: ['--sysfs', odd],
    };
    const script = hookScript(
      'node=@NODE@\nlog=@LOG@\nset -- @OPTIONS@ -- "$@"\nprintf "%s\\n" "$node" "$log" "$@"\n',
      settings,
    );
    const { stdout } = spawnSync('sh', ['-c', script, 'sh', 'vm'], { encoding: 'utf8' });
    expect(stdout).toBe(`${odd}\n\n--sysfs\n${odd}\n--\nvm\n`);
  });
});
