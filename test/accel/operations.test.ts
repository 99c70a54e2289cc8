import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devices } from './devices.js';
import { domainXml } from './domains.js';
import { AccelGuest } from './guest.js';
import type { AccelHost } from './host.js';
import { proves } from './proven.js';
import { define, openHost, place, vsmmu, vsmmuOutput } from './stage.js';

let host: AccelHost;
beforeAll(async () => {
  host = await openHost();
});
afterAll(async () => await host.disconnect());

const { first, second, switchDrive, data } = devices;

describe("libvirt's qemu hook", () => {
  /** libvirt looks for hooks when it starts. */
  async function install(policy: object): Promise<void> {
    await host.put('/etc/vsmmu/policy.json', JSON.stringify(policy));
    await vsmmuOutput(host, ['hook', 'install']);
    await host.script(
      'pid=$(cat /run/libvirtd.pid); kill "$pid"; while [ -e "/proc/$pid" ]; do sleep 0.1; done; libvirtd --daemon',
    );
    await host.output(['virsh', '--quiet', 'list']);
  }

  afterAll(async () => {
    await vsmmu(host, ['hook', 'uninstall']);
    await host.run(['rm', '-f', '/etc/vsmmu/policy.json']);
  });

  it('refuses to start a domain that has an error on the host', async ({ task }) => {
    await install({ hook: 'enforce' });
    const { rewritten, guest } = await place(host, { name: 'hooked', hostdevs: [first] });
    try {
      await define(host, rewritten.replace(/<driver iommufd='yes'\/>/, ''));
      const refused = await host.run(['virsh', '--quiet', 'start', 'hooked']);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(/hook[\s\S]*device-without-iommufd/i);
      proves(
        task,
        "the qemu hook refuses the start of a domain that QEMU would refuse, in virsh start's own error message",
      );
    } finally {
      await guest.remove();
    }
  });

  it('converts a domain when it stops, for its next start', async ({ task }) => {
    await install({ hook: 'warn', convertOnStop: true });
    const guest = new AccelGuest(host, 'stopping');
    await define(host, domainXml({ name: 'stopping', hostdevs: [first] }));
    try {
      await guest.start();
      await host.output(['virsh', '--quiet', 'destroy', 'stopping']);
      await host.script(
        `for i in $(seq 60); do xml=$(virsh --quiet dumpxml --inactive stopping); [[ $xml == *"accel='on'"* ]] && exit 0; sleep 1; done; exit 1`,
        150,
      );
      await guest.start();
      expect(await guest.readQemuLog()).toContain('alloc_viommu');
      proves(task, 'an unconverted domain: the hook converts it when it stops, and its next start is accelerated');
    } finally {
      await guest.remove();
    }
  });
});

describe('vsmmu batch', () => {
  it('converts ten domains, each of which starts, and rolls them back', async ({ task }) => {
    const drives = [first, second, switchDrive, data];
    const names = Array.from({ length: 10 }, (_, n) => `fleet-${n}`);
    const before = new Map<string, string>();
    try {
      for (const [n, name] of names.entries()) {
        const hostdevs = [drives[n % 4] ?? first, drives[(n + 1) % 4] ?? first];
        before.set(name, await define(host, domainXml({ name, hostdevs })));
      }
      await host.output(['vsmmu', 'batch', 'convert', '--all', '--apply', '--quiet'], { limitSeconds: 400 });
      for (const name of names) {
        const xml = await host.output(['virsh', '--quiet', 'dumpxml', '--inactive', '--security-info', name]);
        expect(xml, name).toContain("accel='on'");
      }
      const guest = new AccelGuest(host, 'fleet-3');
      await guest.start();
      expect(await guest.readQemuLog()).toContain('alloc_viommu');
      await host.output(['virsh', '--quiet', 'destroy', 'fleet-3']);
      await host.output(['vsmmu', 'batch', 'rollback', '--quiet'], { limitSeconds: 400 });
      for (const name of names) {
        const xml = await host.output(['virsh', '--quiet', 'dumpxml', '--inactive', '--security-info', name]);
        expect(xml, name).toBe(before.get(name));
      }
      proves(task, 'vsmmu batch convert: ten domains converted, one of them started, all restored by the rollback');
    } finally {
      for (const name of names) await new AccelGuest(host, name).remove();
    }
  });
});
