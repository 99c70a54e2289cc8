/** The uses that the README describes, with libvirt. `-u` updates what it shows. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { documentText, REPOSITORY, withOutput } from '../documents.js';
import { domainXml } from './facts/fact.js';
import { Lab, restartLibvirtd } from './lab.js';
import { Tool } from './tool.js';
import { virsh } from './trial.js';

/** Calls vsmmu as on a host that has the domains' devices. There is no KVM in a lab, and no writable /var/lib. */
const WRAPPER = `#!/bin/sh
case $1 in batch | hook) command="$1 $2"; shift 2 ;; *) command=$1; shift ;; esac
case $command in rewrite | plan | edit | 'hook install' | 'batch convert') set -- --sysfs /tmp/host/sys --force-tcg "$@" ;; esac
case $command in revert | 'batch '*) set -- --state /tmp/state "$@" ;; esac
exec /tmp/vsmmu/bin/vsmmu $command "$@"
`;

/** A host device on the captured host. */
const device = (bus: string, slot: string, fn: string): string =>
  `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/></source></hostdev>`;

it('The README shows what its three uses print', async () => {
  await using lab = await Lab.start();
  await Tool.install(lab);
  await lab.run(['mkdir', '-p', '/tmp/bin']);
  await lab.jail.put('/tmp/bin/vsmmu', WRAPPER);
  await lab.run(['chmod', '755', '/tmp/bin/vsmmu']);
  const domains = [
    ['vm', device('31', '10', '2') + device('91', '00', '0')],
    ['vm2', device('92', '00', '0')],
    ['vm3', device('7e', '00', '0')],
  ] as const;
  for (const [n, [name, devices]] of domains.entries()) {
    const uuid = `<uuid>c02f7f68-c5fe-4e7b-9302-83273e6eaf8${n}</uuid>`;
    await virsh(lab, ['define', '/dev/stdin'], domainXml({ name, devices }).replace('<metadata>', `${uuid}<metadata>`));
  }

  const text = documentText('README.md');
  const env = { PATH: '/tmp/bin:/usr/sbin:/usr/bin:/sbin:/bin', VSMMU_EDITOR: 'true' };
  const updated = await withOutput(text, '#', async (command) => {
    const { stdout } = await lab.run(['bash', '-c', `{ ${command}; } 2>&1`], { env });
    if (command.startsWith('vsmmu hook install')) await restartLibvirtd(lab);
    return stdout;
  });
  await expect(updated).toMatchFileSnapshot(join(REPOSITORY, 'README.md'));
});
