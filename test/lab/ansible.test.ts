import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownArchitecture } from '../../bin/build/bun.js';
import { buildDeb } from '../../bin/build/deb.js';
import { release } from '../../bin/build/release.js';
import { sshTopology } from '../../src/batch/ssh-topology.js';
import { scanHost } from '../../src/host/scan.js';
import { ownExecutable } from './executable.js';
import { domainXml } from './facts/fact.js';
import { dumpAll, hostdev } from './fleet.js';
import { output, type Result, run } from './process.js';
import { makeKeys, RemoteHost } from './remote-host.js';
import { connect, type RemoteConnection } from './tool.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const playbooks = join(repository, 'samples/ansible');
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-ansible-'));

const hosts: RemoteHost[] = [];
const connections: RemoteConnection[] = [];
let before: readonly ReadonlyMap<string, string>[];

beforeAll(async () => {
  await makeKeys(folder);
  await output(['tar', '-xzf', join(repository, 'test/fixtures/hosts/host-a.sysfs.tar.gz'), '-C', folder]);
  buildDeb(ownArchitecture(), { path: ownExecutable(), inputs: [] }, release(), join(folder, 'scratch'), folder);
  for (const count of [4, 3]) {
    const host = await RemoteHost.start(folder);
    hosts.push(host);
    const connection = await connect(host.lab, 'qemu:///system');
    connections.push(connection);
    for (let i = 0; i < count; i++) {
      // The last domain has no host device, so there is nothing to do for it.
      const devices = i + 1 < count ? hostdev('31:10.2') : '';
      await connection.call('define', domainXml({ name: `vm-${i}`, devices }), { validate: false });
    }
  }
  before = await dumps();
  writeFileSync(join(folder, 'inventory.ini'), inventory());
  writeFileSync(join(folder, 'facts.yml'), FACTS);
});
afterAll(async () => {
  for (const connection of connections) await connection[Symbol.asyncDispose]();
  for (const host of hosts) await host[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const dumps = () => Promise.all(connections.map(dumpAll));

const FACTS = `- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: vsmmu_topology.smmus | length == 5
`;

function inventory(): string {
  const lines = hosts.map(({ port }, i) => `host${i + 1} ansible_host=127.0.0.1 ansible_port=${port}`);
  return `${lines.join('\n')}

[all:vars]
ansible_user=root
ansible_ssh_private_key_file=${folder}/id
ansible_ssh_common_args=-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
ansible_remote_tmp=/run/ansible
ansible_python_interpreter=/usr/bin/python3
vsmmu_packages=${folder}
vsmmu_sysfs=${folder}/sys
vsmmu_options=["--force-tcg", "--libvirt", "12.8", "--qemu", "11.1"]
`;
}

/** Runs playbooks of the sample as users do. */
async function play(...args: readonly string[]): Promise<Result> {
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: folder,
    LC_ALL: 'C.UTF-8',
    ANSIBLE_NOCOLOR: '1',
    ANSIBLE_NOCOWS: '1',
    ANSIBLE_PIPELINING: '1',
  };
  return await run(['ansible-playbook', '-i', join(folder, 'inventory.ini'), ...args], { cwd: playbooks, env });
}

/** The number of changed tasks per host, from the recap. */
function changed({ stdout }: Result): number[] {
  const recap = stdout.matchAll(/^host\d +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 /gm);
  return [...recap].map(([, count]) => Number(count));
}

describe('the Ansible role on two hosts', () => {
  it('shows the changes in check mode, installs vsmmu and changes no domain', async () => {
    const result = await play('convert.yml', join(folder, 'facts.yml'), '--check', '--diff');
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(result.stdout.match(/^\+ +<driver pciBus='\d+' accel='on'\/>$/gm)).toHaveLength(5);
    expect(await dumps()).toEqual(before);
  });

  it('installs the package for the host, with man pages and without a hook', async () => {
    for (const { jail } of hosts) {
      expect(await jail.output(['dpkg-query', '--show', 'vsmmu'])).toBe(`vsmmu\t${release().version}\n`);
      await jail.output(['test', '-e', '/usr/share/man/man1/vsmmu.1.gz']);
      expect((await jail.run(['test', '-e', '/etc/libvirt/hooks/qemu.d/vsmmu'])).code).toBe(1);
    }
  });

  it('reports which package is missing for the host', async () => {
    const result = await play('convert.yml', '--extra-vars', 'vsmmu_packages=/nowhere');
    expect(result.stdout).toMatch(/\/nowhere has no vsmmu_\*_(amd64|arm64)\.deb: npm run package makes it/);
  });

  it('installs a vsmmu on the host that prints its topology over ssh, for --ssh-topology', async () => {
    const [host] = hosts;
    const ssh = `#!/bin/sh\nexec /usr/bin/ssh -i ${folder}/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$@"\n`;
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/ssh'), ssh, { mode: 0o755 });
    const { PATH } = process.env;
    process.env.PATH = `${folder}/bin:${PATH}`;
    try {
      const { topology } = await sshTopology(`qemu+ssh://root@127.0.0.1:${host?.port}/system`);
      expect(topology).toEqual(scanHost('/sys').topology);
      await expect(sshTopology(`qemu+ssh://root@127.0.0.1:1/system`)).rejects.toThrow(/^ssh 127\.0\.0\.1: .*refused/);
    } finally {
      process.env.PATH = PATH;
    }
  });

  it('collects the snapshots of all hosts in one page, and changes no domain', async () => {
    const [snapshots, page] = [join(folder, 'snapshots'), join(folder, 'fleet.html')];
    const variables = { vsmmu_snapshots: snapshots, vsmmu_report: page, vsmmu_control: ownExecutable() };
    const result = await play('report.yml', '--extra-vars', JSON.stringify(variables));
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(readdirSync(snapshots).sort()).toEqual(['host1.json', 'host2.json']);
    expect(
      [...readFileSync(page, 'utf8').matchAll(/<span class="name">(\w+)<\/span>/g)].map(([, name]) => name),
    ).toEqual(['host1', 'host2']);
    expect(await dumps()).toEqual(before);
  });

  it('fails if vsmmu takes too long, and leaves the domains as they are', async () => {
    for (const { jail } of hosts) {
      await jail.put('/run/hangs', '#!/bin/sh\ncase $1 in batch) exec sleep 600 ;; esac\nexec vsmmu "$@"\n');
      await jail.output(['chmod', '755', '/run/hangs']);
    }
    const result = await play('convert.yml', '-e', 'vsmmu_program=/run/hangs', '-e', 'vsmmu_limit=10');
    expect(result.code).not.toBe(0);
    expect(result.stdout.match(/vsmmu took longer than 10 seconds/g)).toHaveLength(2);
    expect(await dumps()).toEqual(before);
  });

  it('converts the domains', async () => {
    const result = await play('convert.yml');
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(changed(result)).toEqual([1, 1]);
    const accelerated = (await dumps()).map(
      (all) => [...all.values()].filter((xml) => xml.includes("accel='on'")).length,
    );
    expect(accelerated).toEqual([3, 2]);
  });

  it('changes nothing the second time, and reports that', async () => {
    const after = await dumps();
    expect(changed(await play('convert.yml'))).toEqual([0, 0]);
    expect(changed(await play('convert.yml', '--check', '--diff'))).toEqual([0, 0]);
    expect(await dumps()).toEqual(after);
  });

  it('restores the domains byte for byte', async () => {
    const result = await play('rollback.yml');
    expect(result.code, result.stdout + result.stderr).toBe(0);
    expect(changed(result)).toEqual([1, 1]);
    expect(await dumps()).toEqual(before);
    expect(changed(await play('rollback.yml'))).toEqual([0, 0]);
  });

  it('warns about a domain that it cannot convert, or fails if configured to', async () => {
    const missing = domainXml({ name: 'without-device', devices: hostdev('7e:00.0') });
    await connections[0]?.call('define', missing, { validate: false });
    const options = ['convert.yml', '--check', '--limit', 'host1'];
    const warned = await play(...options);
    expect(warned.code, warned.stdout + warned.stderr).toBe(0);
    expect(warned.stdout + warned.stderr).toContain('without-device: 0000:7e:00.0 is not on this host');
    const failed = await play(...options, '-e', 'vsmmu_refused=fail');
    expect(failed.code).not.toBe(0);
    expect(failed.stdout).toContain('without-device: 0000:7e:00.0 is not on this host');
  });
});
