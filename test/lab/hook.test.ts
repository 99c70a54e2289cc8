/** libvirt's qemu hook, as libvirt calls it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withEmulatedDevices } from './domain.js';
import { domainXml, expanderBusXml } from './facts/fact.js';
import { Lab, restartLibvirtd } from './lab.js';
import type { Result } from './process.js';
import { sysfs, Tool } from './tool.js';
import { define, undefine, virsh } from './trial.js';

const log = '/tmp/hook.log';
const policyFile = '/tmp/policy.json';
const script = '/etc/libvirt/hooks/qemu.d/vsmmu';

let lab: Lab;
let tool: Tool;
beforeAll(async () => {
  lab = await Lab.start();
  tool = await Tool.install(lab);
  await policy({});
  const options = ['--sysfs', sysfs, '--force-tcg', '--log', log, '--policy', policyFile, '--state', '/tmp/state'];
  const installed = await tool.run(['hook', 'install', ...options]);
  expect(installed).toMatchObject({ code: 0, stderr: expect.stringContaining('restart') });
  await restartLibvirtd(lab);
});
afterAll(() => lab[Symbol.asyncDispose]());
beforeEach(async () => {
  await policy({});
  await lab.run(['rm', '-f', log]);
});

/** Writes the policy, and its mode into the script as `hook install` does, which cannot run in some tests. */
async function policy(keys: { readonly hook?: 'warn' | 'enforce'; readonly convertOnStop?: boolean }): Promise<void> {
  await lab.jail.put(policyFile, JSON.stringify(keys));
  await lab.run(['sed', '-i', `s/^mode=.*/mode='${keys.hook ?? 'warn'}'/`, script]);
}

const logged = async (): Promise<string> => (await lab.run(['cat', log])).stdout;
const state = async (uuid: string): Promise<string> => (await virsh(lab, ['domstate', uuid])).trim();

/** A device of the hook's host, behind its own SMMU. */
const hostdev = `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x91' slot='0' function='0'/></source></hostdev>`;

/** Two ports below an expander bus with two bus numbers: QEMU starts the domain, and the guest's kernel panics. */
const tooSmall =
  expanderBusXml(1, 254) +
  [2, 3]
    .map(
      (index) =>
        `<controller type='pci' index='${index}' model='pcie-root-port'><address type='pci' bus='0x01' slot='${index - 2}'/></controller>`,
    )
    .join('');

/** Defines a domain, runs `body`, and ends and undefines the domain. */
async function withDomain(name: string, devices: string, body: (uuid: string) => Promise<void>): Promise<void> {
  const uuid = randomUUID();
  const xml = domainXml({ name, devices }).replace('<metadata>', `<uuid>${uuid}</uuid><metadata>`);
  await virsh(lab, ['define', '/dev/stdin'], xml);
  try {
    await body(uuid);
  } finally {
    await lab.virsh(['destroy', uuid]);
    await lab.virsh(['managedsave-remove', uuid]);
    await undefine(lab, uuid);
  }
}

const start = (uuid: string): Promise<Result> => lab.virsh(['start', '--paused', uuid]);

describe('the start of a domain that has an error on the host or is not converted for it', () => {
  it.for(['plain', '$(touch oops); `id`', '--help', '12'])(
    'is refused by enforce, with the command to run in the error of virsh, for a domain called %s',
    async (name) => {
      await policy({ hook: 'enforce' });
      await withDomain(name, hostdev, async (uuid) => {
        const { code, stderr } = await start(uuid);
        expect(code).not.toBe(0);
        expect(stderr).toContain(
          `vsmmu: ${JSON.stringify(name)}: 0000:91:00.0 is not behind the right vSMMU for this host; run: vsmmu rewrite --connect qemu:///system --define ${uuid}`,
        );
      });
    },
  );

  it('is refused by enforce and allowed by warn, which logs it in a file that only root can read', async () => {
    await withDomain('small', tooSmall, async (uuid) => {
      await policy({ hook: 'enforce' });
      const refused = await start(uuid);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/vsmmu: "small": bus-window-too-small: /);
      expect(await state(uuid)).toBe('shut off');

      await policy({ hook: 'warn' });
      expect((await start(uuid)).code).toBe(0);
      expect(await state(uuid)).toBe('paused');
      expect(await logged()).toMatch(/ vsmmu: "small": bus-window-too-small: /);
      expect((await lab.jail.output(['stat', '-c', '%a', log])).trim()).toBe('600');
    });
  });

  it('is allowed by enforce once the domain is converted', async () => {
    await policy({ hook: 'enforce' });
    await withDomain('converted', hostdev, async (uuid) => {
      await tool.run(['rewrite', '--define', '--yes', '--state', '/tmp/state', ...tool.here, uuid]);
      // It cannot start here because the device is missing: this error is QEMU's, not vsmmu's.
      expect((await start(uuid)).stderr).not.toContain('vsmmu:');
    });
  });
});

describe('with the hook in place', () => {
  it('a guest is saved and restored, and its managed save, too', async ({ task }) => {
    await policy({ hook: 'enforce' });
    const image = '/var/lib/libvirt/qemu/hooked.save';
    await withDomain('saved', '', async (uuid) => {
      await virsh(lab, ['start', '--paused', uuid]);
      await virsh(lab, ['save', uuid, image]);
      await virsh(lab, ['restore', '--paused', image]);
      await virsh(lab, ['managedsave', uuid]);
      await virsh(lab, ['start', '--paused', uuid]);
      expect(await state(uuid)).toBe('paused');
      task.meta.lab = { defined: 1, restored: 2 };
    });
  });

  it('two hundred simultaneous starts all get the right answer', async () => {
    await policy({ hook: 'enforce' });
    const uuids = Array.from({ length: 200 }, () => randomUUID());
    await lab.run(['mkdir', '-p', '/tmp/many']);
    const all = uuids.map((uuid, n) =>
      domainXml({ name: `many-${n}`, devices: tooSmall }).replace('<metadata>', `<uuid>${uuid}</uuid><metadata>`),
    );
    await lab.jail.put('/tmp/many/all', all.map((xml) => xml.replaceAll('\n', ' ')).join('\n'));
    await lab.jail.output([
      'sh',
      '-c',
      'cd /tmp/many; n=0; while read -r xml || [ -n "$xml" ]; do printf %s "$xml" > $n.xml; n=$((n+1)); done < all',
    ]);
    const lines = (command: (uuid: string, n: number) => string) => `${uuids.map(command).join('\n')}\n`;
    await lab.run(['virsh', '-q'], { input: lines((_, n) => `define /tmp/many/${n}.xml`) });
    const answers = await lab.jail.output(
      [
        'sh',
        '-c',
        'while read -r uuid; do virsh -q start "$uuid" 2>/tmp/many/$uuid.err & done; wait; cat /tmp/many/*.err',
      ],
      { input: lines((uuid) => uuid) },
    );
    const refused = new Set([...answers.matchAll(/vsmmu: "many-(\d+)": bus-window-too-small: /g)].map(([, n]) => n));
    expect(refused.size).toBe(200);
    const entries = (await logged()).trim().split('\n');
    expect(entries).toHaveLength(200);
    for (const entry of entries) expect(entry).toMatch(/^\S+Z vsmmu: "many-\d+": bus-window-too-small: /);
    await lab.run(['virsh', '-q'], { input: lines((uuid) => `undefine --nvram ${uuid}`) });
  });
});

describe('a guest that runs', () => {
  /** Ways in which the hook fails, each with a command that restores it. */
  const tool = '/tmp/vsmmu/bin/vsmmu';
  const inItsPlace = (line: string): string =>
    `mv ${tool} /tmp/kept && printf '#!/bin/sh\\n${line}\\n' > ${tool} && chmod 755 ${tool}`;
  const failures: readonly [title: string, how: string, undo: string][] = [
    ['the program is missing', `mv ${tool} /tmp/kept`, `mv /tmp/kept ${tool}`],
    ['the program fails', inItsPlace('exit 70'), `mv /tmp/kept ${tool}`],
    ['the program is killed', inItsPlace('kill -SEGV $$'), `mv /tmp/kept ${tool}`],
    [
      'the program hangs',
      `${inItsPlace('sleep 1000')} && sed -i s/^limit=.*/limit=1/ ${script}`,
      `mv /tmp/kept ${tool} && sed -i s/^limit=.*/limit=5/ ${script}`,
    ],
  ];

  it.for(failures)('keeps running if libvirtd is killed and restarted while %s', async ([, how, undo]) => {
    await policy({ hook: 'enforce', convertOnStop: true });
    await withDomain('alive', '', async (uuid) => {
      await virsh(lab, ['start', '--paused', uuid]);
      await lab.jail.output(['sh', '-c', how]);
      try {
        const pid = (await lab.jail.output(['cat', '/run/libvirtd.pid'])).trim();
        await lab.jail.output(['sh', '-c', 'kill -9 "$1"; while [ -e "/proc/$1" ]; do sleep 0.05; done', 'sh', pid]);
        await lab.jail.output(['libvirtd', '--daemon']);
        // libvirtd reconnects to its guests after it answers: a guest that the hook kills is gone within this time.
        for (let looks = 0; looks < 10; looks++) {
          expect(await state(uuid)).toBe('paused');
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      } finally {
        await lab.jail.output(['sh', '-c', undo]);
      }
    });
  });

  it.for(failures)('can be started with warn, and not with enforce, while %s', async ([, how, undo]) => {
    await withDomain('begun', tooSmall, async (uuid) => {
      await lab.jail.output(['sh', '-c', how]);
      try {
        await policy({ hook: 'enforce' });
        const refused = await start(uuid);
        expect(refused.code).not.toBe(0);
        expect(refused.stderr).toMatch(/so its start is refused/);
        await policy({});
        expect((await start(uuid)).code).toBe(0);
      } finally {
        await lab.jail.output(['sh', '-c', undo]);
      }
    });
  });
});

describe('convertOnStop', () => {
  const dump = (uuid: string): Promise<string> => virsh(lab, ['dumpxml', '--inactive', uuid]);

  it('converts a domain that needs it when it stops, and the result starts', async ({ task }) => {
    await policy({ convertOnStop: true });
    await withDomain('stopped', '', async (uuid) => {
      await virsh(lab, ['start', '--paused', uuid]);
      await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--config'], hostdev);
      await virsh(lab, ['destroy', uuid]);
      await expect.poll(() => dump(uuid), { timeout: 60_000, interval: 200 }).toContain("<iommu model='smmuv3'>");
      const runs = await tool.run(['batch', 'list', '--state', '/tmp/state']);
      expect(runs.stdout).not.toBe('');

      // Without the hardware: the same addresses with emulated devices.
      const emulated = withEmulatedDevices(await dump(uuid)).replace(/<uuid>.*?<\/uuid>|<name>.*?<\/name>/g, '');
      const twin = await define(lab, emulated.replace('<metadata>', '<name>stopped-twin</name><metadata>'));
      expect((await start(twin)).code).toBe(0);
      await virsh(lab, ['destroy', twin]);
      await undefine(lab, twin);
      task.meta.lab = { defined: 1 };
    });
  });

  it('starts the conversion by systemd if it runs, and passes only the UUID of the domain', async () => {
    await policy({ convertOnStop: true });
    // No systemd runs in a jail: a script records its arguments and runs the command.
    const received = '/tmp/systemd-run.arguments';
    const standIn = `#!/bin/sh\nfor word; do printf '%s\\n' "$word"; done >${received}\nshift 4\nexec setsid "$@"\n`;
    await lab.jail.put('/tmp/systemd-run', standIn);
    await lab.jail.output(['chmod', '755', '/tmp/systemd-run']);
    await lab.jail.output(['mkdir', '-p', '/run/systemd/system']);
    await lab.jail.output(['mount', '--bind', '/tmp/systemd-run', '/usr/bin/systemd-run']);
    try {
      await withDomain('$(touch oops) --wait', '', async (uuid) => {
        await virsh(lab, ['start', '--paused', uuid]);
        await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--config'], hostdev);
        await virsh(lab, ['destroy', uuid]);
        await expect.poll(() => dump(uuid), { timeout: 60_000, interval: 200 }).toContain("<iommu model='smmuv3'>");
        const words = (await lab.jail.output(['cat', received])).trim().split('\n');
        const files = ['--policy', policyFile, '--sysfs', sysfs, '--state', '/tmp/state'];
        expect(words).toEqual([
          ...['--no-block', '--quiet', '--collect', '--'],
          ...[tool.path, 'hook', 'convert', ...files, '--force-tcg', '--', uuid],
        ]);
      });
    } finally {
      await lab.jail.output(['umount', '/usr/bin/systemd-run']);
      await lab.jail.output(['rm', '-r', '/run/systemd']);
    }
  });

  it('does not change a domain that needs no conversion, and keeps no run', async () => {
    await policy({ convertOnStop: true });
    const runs = async () => (await tool.run(['batch', 'list', '--json', '--state', '/tmp/state'])).stdout;
    const before = await runs();
    await withDomain('nothing', '', async (uuid) => {
      const definition = await dump(uuid);
      await virsh(lab, ['start', '--paused', uuid]);
      await virsh(lab, ['destroy', uuid]);
      const converting = `for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done 2>/dev/null | grep -c 'hook[ ]convert' || true`;
      await expect
        .poll(async () => (await lab.jail.output(['sh', '-c', converting])).trim(), { timeout: 60_000 })
        .toBe('0');
      expect(await dump(uuid)).toBe(definition);
      expect(await runs()).toBe(before);
    });
  });

  it('does nothing if the policy does not enable it', async () => {
    await withDomain('left', '', async (uuid) => {
      await virsh(lab, ['start', '--paused', uuid]);
      await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--config'], hostdev);
      const definition = await dump(uuid);
      await virsh(lab, ['destroy', uuid]);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(await dump(uuid)).toBe(definition);
    });
  });
});
