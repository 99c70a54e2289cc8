import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDeb } from '../../bin/build/deb.js';
import { buildExecutable } from '../../bin/build/executable.js';
import { release } from '../../bin/build/release.js';
import { temporaryFolder } from '../lab/cache.js';
import { devices } from './devices.js';
import type { AccelHost } from './host.js';
import { proves } from './proven.js';
import { define, openHost, place } from './stage.js';

let host: AccelHost;
beforeAll(async () => {
  host = await openHost();
  const folder = temporaryFolder();
  const program = buildExecutable('aarch64', join(folder, 'program'));
  mkdirSync(join(host.folder, 'share/packages'), { recursive: true });
  for (const version of [OLDER, VERSION]) {
    const deb = buildDeb('aarch64', program, release(version), join(folder, 'scratch'), folder);
    copyFileSync(deb, join(host.folder, 'share/packages', basename(deb)));
  }
  // Removes the other vsmmu of the host, so that the tests use that of the package.
  await host.script('rm -f /usr/local/bin/vsmmu');
});
afterAll(async () => {
  await host.script('ln -sf /opt/vsmmu/bin/vsmmu /usr/local/bin/vsmmu');
  await host.disconnect();
});

const OLDER = '0.0.9';
const { version: VERSION } = release();
const HOOK = '/etc/libvirt/hooks/qemu.d/vsmmu';

const dpkg = (...args: readonly string[]): Promise<string> => host.output(['dpkg', ...args], { limitSeconds: 500 });
const install = (version: string): Promise<string> => dpkg('--install', `/share/packages/vsmmu_${version}_arm64.deb`);

/** Starts a domain that has an error on the host. */
async function startWrong(): Promise<string> {
  const { rewritten, guest } = await place(host, { name: 'packaged', hostdevs: [devices.first] });
  try {
    await define(host, rewritten.replace(/<driver iommufd='yes'\/>/, ''));
    return (await host.run(['virsh', '--quiet', 'start', '--paused', 'packaged'])).stderr;
  } finally {
    await guest.remove();
  }
}

describe('the arm64 package on the host', () => {
  it('is installed and does not enable the hook', async () => {
    await install(OLDER);
    expect(await host.output(['dpkg-query', '--show', 'vsmmu'])).toBe(`vsmmu\t${OLDER}\n`);
    expect((await host.run(['test', '-e', HOOK])).code).toBe(1);
  });

  it('reads the host and refuses a domain through its hook', async () => {
    expect(await host.output(['/usr/bin/vsmmu', 'topology'])).toContain('smmu3.');
    await host.output(['/usr/bin/vsmmu', 'hook', 'install', '--quiet', '--hook', 'enforce']);
    await host.script(
      'pid=$(cat /run/libvirtd.pid); kill "$pid"; while [ -e "/proc/$pid" ]; do sleep 0.1; done; libvirtd --daemon',
    );
    expect(await startWrong()).toMatch(/hook[\s\S]*device-without-iommufd/i);
  });

  it('is upgraded, and its hook keeps working', async ({ task }) => {
    const script = await host.output(['cat', HOOK]);
    await host.script(`sed -i 's/^trap finish EXIT/& # older/' ${HOOK}`);
    await install(VERSION);
    expect(await host.output(['cat', HOOK])).toBe(script);
    expect(await startWrong()).toMatch(/hook[\s\S]*device-without-iommufd/i);
    proves(task, 'the arm64 package: installed, its hook refuses a domain, and goes on after an upgrade');
  });

  it('is removed with its hook, and purged completely', async ({ task }) => {
    await dpkg('--remove', 'vsmmu');
    expect((await host.run(['test', '-e', HOOK])).code).toBe(1);
    expect((await host.run(['test', '-e', '/etc/vsmmu/policy.json'])).code).toBe(0);
    await dpkg('--purge', 'vsmmu');
    const rest = await host.script("busybox find /etc /usr /var -xdev -name '*vsmmu*'");
    expect(rest).toBe('');
    proves(task, 'the arm64 package: removed with its hook, and purged without a rest');
  });
});
