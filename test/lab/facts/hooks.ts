/** Facts about libvirt's qemu hook and virsh's editor. They change only files of the lab's libvirtd. */
import { pciAddresses } from '../domain.js';
import { type Lab, restartLibvirtd } from '../lab.js';
import { define, undefine, virsh } from '../trial.js';
import { domainXml, type Fact } from './fact.js';

const hookFile = '/etc/libvirt/hooks/qemu';
const image = '/var/lib/libvirt/qemu/fact.save';

/** Installs the shell lines as libvirt's qemu hook, restarts libvirtd, runs `body`, and removes the hook. */
async function withHook<T>(lab: Lab, lines: string, body: () => Promise<T>): Promise<T> {
  await lab.jail.output(['mkdir', '-p', '/etc/libvirt/hooks']);
  await lab.jail.put(hookFile, `#!/bin/sh\n${lines}\n`);
  await lab.jail.output(['chmod', '+x', hookFile]);
  await restartLibvirtd(lab);
  try {
    return await body();
  } finally {
    await lab.jail.output(['rm', hookFile]);
    await restartLibvirtd(lab);
  }
}

/** Defines a domain, runs `body` with its UUID, and always ends and undefines the domain. */
async function withDomain<T>(lab: Lab, body: (uuid: string) => Promise<T>): Promise<T> {
  const uuid = await define(lab, domainXml({ name: 'hooked' }));
  try {
    return await body(uuid);
  } finally {
    await lab.virsh(['destroy', uuid]);
    await undefine(lab, uuid);
  }
}

async function state(lab: Lab, uuid: string): Promise<string> {
  return (await virsh(lab, ['domstate', uuid])).trim();
}

/** Runs `virsh edit` with this editor, and returns whether the domain has the title afterwards. */
async function edited(lab: Lab, editor: string): Promise<string> {
  return await withDomain(lab, async (uuid) => {
    const { code } = await lab.virsh(['edit', uuid], { env: { EDITOR: editor } });
    const dump = await virsh(lab, ['dumpxml', '--inactive', uuid]);
    return `${code === 0 ? 'edited' : 'refused'}, ${dump.includes('<title>new</title>') ? 'changed' : 'as it was'}`;
  });
}

export const hookFacts: readonly Fact[] = [
  {
    title: 'a hook that fails at prepare refuses the start, and libvirt’s error contains its standard error',
    see: (lab) =>
      withHook(lab, '[ "$2" != prepare ] || { echo "not on this host" >&2; exit 1; }', () =>
        withDomain(lab, async (uuid) => (await lab.virsh(['start', '--paused', uuid])).stderr.trim()),
      ),
    expected: /not on this host/,
  },
  {
    title: 'libvirt ignores what a hook prints at start',
    see: (lab) =>
      withHook(lab, '[ "$2" != start ] || sed "s,</name>,</name><title>new</title>,"', () =>
        withDomain(lab, async (uuid) => {
          await virsh(lab, ['start', '--paused', uuid]);
          return (await virsh(lab, ['dumpxml', uuid])).includes('<title>') ? 'changed' : 'as it was';
        }),
      ),
    expected: 'as it was',
  },
  {
    title: 'libvirt uses the domain that a hook prints at restore',
    see: (lab) =>
      withHook(lab, '[ "$2" != restore ] || sed "s,</name>,</name><title>new</title>,"', () =>
        withDomain(lab, async (uuid) => {
          await virsh(lab, ['start', '--paused', uuid]);
          await virsh(lab, ['save', uuid, image]);
          await virsh(lab, ['restore', '--paused', image]);
          return (await virsh(lab, ['dumpxml', uuid])).includes('<title>new</title>') ? 'changed' : 'as it was';
        }),
      ),
    expected: 'changed',
  },
  {
    title: 'a running guest survives a restart of libvirtd',
    see: (lab) =>
      withHook(lab, 'exit 0', () =>
        withDomain(lab, async (uuid) => {
          await virsh(lab, ['start', '--paused', uuid]);
          await restartLibvirtd(lab);
          return await state(lab, uuid);
        }),
      ),
    expected: 'paused',
  },
  {
    title: 'a hook that fails at reconnect kills a running guest',
    see: (lab) =>
      withHook(lab, '[ "$2" != reconnect ] || exit 127', () =>
        withDomain(lab, async (uuid) => {
          await virsh(lab, ['start', '--paused', uuid]);
          await restartLibvirtd(lab);
          return await settled(lab, uuid);
        }),
      ),
    expected: 'shut off',
  },
  {
    title: 'virsh edit accepts an editor with arguments',
    see: (lab) => edited(lab, "sed -i 's,</name>,</name><title>new</title>,'"),
    expected: 'edited, changed',
  },
  {
    title: 'virsh edit changes nothing if the editor fails',
    see: (lab) => edited(lab, '/bin/false'),
    expected: 'refused, as it was',
  },
  {
    title: 'a saved guest’s XML is a plain domain with the same addresses',
    see: (lab) =>
      withDomain(lab, async (uuid) => {
        await virsh(lab, ['start', '--paused', uuid]);
        const before = pciAddresses(await virsh(lab, ['dumpxml', uuid]));
        await virsh(lab, ['save', uuid, image]);
        const saved = await virsh(lab, ['save-image-dumpxml', image]);
        const same = pciAddresses(saved).join() === before.join();
        return `${/^<domain [^>]*>/.exec(saved)?.[0]}, ${same ? 'the same addresses' : 'other addresses'}`;
      }),
    expected: "<domain type='qemu'>, the same addresses",
  },
];

/** Polls up to fifty times for `shut off`, and returns the state: libvirtd reconnects to guests after it answers. */
async function settled(lab: Lab, uuid: string): Promise<string> {
  let seen = await state(lab, uuid);
  for (let looks = 0; seen !== 'shut off' && looks < 50; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    seen = await state(lab, uuid);
  }
  return seen;
}
