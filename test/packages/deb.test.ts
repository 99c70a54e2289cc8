import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownArchitecture } from '../../bin/build/bun.js';
import { buildDeb } from '../../bin/build/deb.js';
import { release } from '../../bin/build/release.js';
import { DebianRoot } from './debian-root.js';
import { executable, output, packageFile, run } from './packages.js';

const ARCHITECTURE = ownArchitecture();
const deb = (): string => packageFile(ARCHITECTURE === 'x86_64' ? /_amd64\.deb$/ : /_arm64\.deb$/);

/** Copies a package into a root file system and returns its path there. */
function bring(root: DebianRoot, file: string): string {
  mkdirSync(join(root.path, 'packages'), { recursive: true });
  cpSync(file, join(root.path, 'packages', basename(file)));
  return `/packages/${basename(file)}`;
}

/** The same program as a package of a lower version. */
let olderDeb = '';
const olderFolder = mkdtempSync(join(tmpdir(), 'vsmmu-older-'));
beforeAll(() => {
  const older = { ...release(), version: '0.0.9' };
  const program = { path: executable(), inputs: [] };
  olderDeb = buildDeb(ARCHITECTURE, program, older, join(olderFolder, 'scratch'), olderFolder);
});
afterAll(() => rmSync(olderFolder, { recursive: true, force: true }));

const HOOK = '/etc/libvirt/hooks/qemu.d/vsmmu';

const exists = (root: DebianRoot, path: string): boolean => root.run('test', '-e', path).code === 0;

describe.each(['bookworm', 'trixie', 'sid'])('the package on Debian %s, without network', (suite) => {
  let root: DebianRoot;
  beforeAll(async () => {
    root = await DebianRoot.open(suite);
  });
  afterAll(() => root[Symbol.dispose]());

  it('does not enable the hook', () => {
    // As in the README. apt would download recommended packages, if there were any.
    root.output('apt-get', 'install', '--yes', bring(root, olderDeb));
    expect(exists(root, HOOK)).toBe(false);
  });

  it('is upgraded, and keeps the policy and an enabled hook of the administrator', () => {
    writeFileSync(join(root.path, 'etc/vsmmu/policy.json'), '{ "sparePorts": 1 }\n');
    root.output('vsmmu', 'hook', 'install', '--quiet', '--hook', 'enforce', '--limit', '7');
    const script = join(root.path, HOOK);
    const installed = readFileSync(script, 'utf8');
    // As if an older version with another script had installed it.
    writeFileSync(script, installed.replace('trap finish EXIT', 'trap finish EXIT # older'), { mode: 0o755 });
    root.output('dpkg', '--install', '--force-confold', bring(root, deb()));
    expect(root.output('dpkg-query', '--show', 'vsmmu').trim()).toBe(`vsmmu\t${release().version}`);
    expect(root.output('cat', '/etc/vsmmu/policy.json')).toBe('{ "sparePorts": 1 }\n');
    expect(readFileSync(script, 'utf8')).toBe(installed);
    expect(root.output('vsmmu', 'hook', 'status')).toMatch(/^script .*\nvsmmu +\/usr\/bin\/vsmmu\n/);
  });

  it('answers libvirt through the hook, whatever the environment', () => {
    const domain = 'usr/share/vsmmu/samples/domains/virtio-only.xml';
    const start = `BUN_OPTIONS=--version BUN_BE_BUN=1 ${HOOK} vm prepare begin - < /${domain}`;
    expect(root.run('sh', '-c', start)).toEqual({ code: 0, stdout: '', stderr: '' });
    const gpu = 'usr/share/vsmmu/samples/domains/gh200-vm.xml';
    const { code, stderr } = root.run('sh', '-c', `BUN_BE_BUN=1 ${HOOK} vm prepare begin - < /${gpu}`);
    expect(code).toBe(1);
    // There is no sysfs in the chroot.
    expect(stderr).toMatch(/^vsmmu: "vm" could not be checked: .*sys/);
  });

  it('answers KubeVirt through onDefineDomain, which passes on only documented variables', () => {
    const call = ['/usr/libexec/vsmmu/onDefineDomain', '--vmi', '{"metadata":{"name":"vm"}}', '--domain', '<domain/>'];
    const answer = root.run('env', 'BUN_BE_BUN=1', 'BUN_OPTIONS=--version', 'VSMMU_LIBVIRT=none', ...call);
    expect(answer).toMatchObject({ code: 2, stdout: '' });
    expect(answer.stderr).toMatch(/^vm:.*VSMMU_LIBVIRT takes kubevirt or a version such as 12\.8\.0, not none/);
  });

  it('installs the unmodified executable', () => {
    const installed = root.output('sha256sum', '/usr/bin/vsmmu').split(' ')[0];
    expect(installed).toBe(output(['/usr/bin/sha256sum', executable()]).split(' ')[0]);
  });

  it('converts a sample', () => {
    const samples = '/usr/share/vsmmu/samples';
    const sample = ['--topology', `${samples}/hosts/gh200.json`, `${samples}/domains/gh200-vm.xml`];
    const here = sample.map((word) => word.replace('/usr/share/vsmmu/', ''));
    const { stdout } = run([executable(), 'rewrite', '--quiet', '--spare-ports', '1', ...here]);
    expect(root.output('vsmmu', 'rewrite', '--quiet', ...sample)).toBe(stdout);
  });

  it('contains the manual, completion and documentation', () => {
    for (const path of [
      '/usr/share/man/man1/vsmmu-rewrite.1.gz',
      '/usr/share/bash-completion/completions/vsmmu',
      '/usr/share/zsh/vendor-completions/_vsmmu',
      '/usr/share/fish/vendor_completions.d/vsmmu.fish',
      '/usr/lib/tmpfiles.d/vsmmu.conf',
      '/etc/logrotate.d/vsmmu',
      '/usr/libexec/vsmmu/onDefineDomain',
    ]) {
      expect([path, root.run('test', '-s', path).code]).toEqual([path, 0]);
    }
  });

  it('keeps configuration and backups when it is removed, and nothing when it is purged', () => {
    writeFileSync(join(root.path, 'var/lib/vsmmu/journal'), 'x');
    root.output('dpkg', '--remove', 'vsmmu');
    expect(exists(root, HOOK)).toBe(false);
    expect(exists(root, '/usr/bin/vsmmu')).toBe(false);
    expect(exists(root, '/etc/vsmmu/policy.json') && exists(root, '/var/lib/vsmmu/journal')).toBe(true);
    root.output('dpkg', '--purge', 'vsmmu');
    expect(root.output('find', '/', '-xdev', '-name', '*vsmmu*', '-not', '-path', '/packages/*').trim()).toBe('');
  });
});

describe('the packages', () => {
  it.each([/_amd64\.deb$/, /_arm64\.deb$/])('have no lintian errors: %s', (pattern) => {
    const { stdout } = run(['lintian', '--allow-root', packageFile(pattern)], { env: { PATH: '/usr/bin:/bin' } });
    expect(stdout).not.toMatch(/^E:/m);
  });

  it.each([
    [/\.x86_64\.rpm$/, 'x86_64'],
    [/\.aarch64\.rpm$/, 'aarch64'],
  ])('have the same files as an RPM: %s', (pattern, architecture) => {
    const query = ['rpm', '--query', '--package', packageFile(pattern), '--queryformat'];
    const env = { env: { PATH: '/usr/bin:/bin' } };
    expect(output([...query, '%{NAME} %{VERSION} %{ARCH}'], env)).toBe(`vsmmu ${release().version} ${architecture}`);
    const files = output(['rpm', '--query', '--list', '--package', packageFile(pattern)], env).split('\n');
    expect(files).toEqual(expect.arrayContaining(['/usr/bin/vsmmu', '/etc/vsmmu/policy.json', '/var/lib/vsmmu']));
    const configuration = output(['rpm', '--query', '--configfiles', '--package', packageFile(pattern)], env);
    expect(configuration.trim().split('\n').sort()).toEqual(['/etc/logrotate.d/vsmmu', '/etc/vsmmu/policy.json']);
  });
});

describe('the RPM', () => {
  const rpm = (): string => packageFile(new RegExp(`\\.${ARCHITECTURE}\\.rpm$`));

  it('installs into a root file system, runs, and is erased', async () => {
    using root = await DebianRoot.open('bookworm');
    const command = ['rpm', '--root', root.path, '--dbpath', '/var/lib/rpm'];
    const env = { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } };
    // Debian's libraries are installed, but rpm does not know Debian's packages.
    output([...command, '--install', '--nodeps', rpm()], env);
    expect(root.output('vsmmu', '--version').trim()).toBe(release().version);
    expect(root.output('sha256sum', '/usr/bin/vsmmu').split(' ')[0]).toBe(
      output(['/usr/bin/sha256sum', executable()]).split(' ')[0],
    );
    output([...command, '--erase', 'vsmmu'], env);
    expect(exists(root, '/usr/bin/vsmmu')).toBe(false);
  });
});
