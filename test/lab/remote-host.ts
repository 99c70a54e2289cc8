/**
 * A managed machine for Ansible: an sshd on loopback, Python, dpkg, and a libvirt. It is this computer in separate
 * namespaces, which discard all writes, with the libvirtd of a lab.
 */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Jail, requirePrograms } from './jail.js';
import { Lab } from './lab.js';
import { output } from './process.js';
import { rootPath } from './rootfs.js';

/** Keeps the writes of a host in memory: its packages, its state, and the sockets of daemons. */
const mounts = `mount -t tmpfs -o mode=755 tmpfs /mnt
for folder in usr etc var; do
  mkdir -p /mnt/$folder/upper /mnt/$folder/work
  mount -t overlay -o lowerdir=/$folder,upperdir=/mnt/$folder/upper,workdir=/mnt/$folder/work overlay /$folder
done
for folder in /usr/local/bin /run; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mkdir -p /run/sshd /run/libvirt`;

/** Runs the lab's virsh with the lab's loader and libraries, because this computer may have none. */
function virshScript(): string {
  const root = rootPath();
  const libraries = `${root}/usr/lib/x86_64-linux-gnu`;
  return `#!/bin/sh\nexec ${root}/usr/lib64/ld-linux-x86-64.so.2 --library-path ${libraries} ${root}/usr/bin/virsh "$@"\n`;
}

const socket = '/run/libvirt/libvirt-sock';

export class RemoteHost implements AsyncDisposable {
  private constructor(
    readonly lab: Lab,
    readonly jail: Jail,
    private readonly relay: Server,
    /** Port of its sshd on loopback. */
    readonly port: number,
  ) {}

  /** @param keys a folder with `id` and `id.pub`, for its root */
  static async start(keys: string): Promise<RemoteHost> {
    const lab = await Lab.start();
    const jail = await Jail.open('/', 'machine');
    await jail.output(['sh', '-ec', mounts]);
    await jail.put('/usr/local/bin/virsh', virshScript());
    await jail.output(['chmod', '755', '/usr/local/bin/virsh']);
    const relay = createServer((near) => {
      const far = connect(`/proc/${lab.jail.pid}/root${socket}`);
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy());
      far.on('error', () => near.destroy());
    });
    relay.listen(`/proc/${jail.pid}/root${socket}`);
    await once(relay, 'listening');
    const port = await freePort();
    const config = join(keys, `sshd-${port}`);
    writeFileSync(config, sshdConfig(keys, port));
    await jail.output(['/usr/sbin/sshd', '-f', config]);
    return new RemoteHost(lab, jail, relay, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.jail[Symbol.asyncDispose]();
    this.relay.close();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Makes the keys of hosts and of their users. */
export async function makeKeys(folder: string): Promise<void> {
  requirePrograms({ sshd: 'openssh-server', ssh: 'openssh-client', 'ansible-playbook': 'ansible-core' });
  for (const name of ['id', 'host']) {
    await output(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  }
}

/** Returns the configuration of sshd. HOME is not root's: a shell would run its ~/.bashrc at each command. */
function sshdConfig(keys: string, port: number): string {
  return `ListenAddress 127.0.0.1:${port}
HostKey ${keys}/host
AuthorizedKeysFile ${keys}/id.pub
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
SetEnv PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run
Subsystem sftp internal-sftp
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
