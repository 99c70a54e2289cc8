/** A demonstration of two minutes: prints each command that runs on the host, and its output. */
import { devices } from './devices.js';
import { domainXml } from './domains.js';
import { AccelGuest } from './guest.js';
import type { AccelHost } from './host.js';

const { first, data } = devices;

/** Converts and starts a domain with two NVMe drives behind two SMMUs. Throws LabError if a step fails. */
export async function demonstrate(host: AccelHost, print: (text: string) => void): Promise<void> {
  const guest = new AccelGuest(host, 'demo');
  const type = async (line: string): Promise<void> => {
    print(`host$ ${line}\n`);
    print(await host.script(line));
  };
  const typeInGuest = async (line: string): Promise<void> => {
    print(`guest# ${line}\n`);
    print(await guest.run(line));
  };
  await host.put('/root/demo.xml', domainXml({ name: 'demo', hostdevs: [first, data] }));
  try {
    await type('uname -mr; vsmmu topology | head -20');
    await type('virsh define --validate demo.xml');
    await type('virsh dumpxml --inactive demo | vsmmu rewrite --quiet -o new.xml; virsh define --validate new.xml');
    await type('vsmmu check --quiet new.xml && virsh start demo');
    await guest.ready();
    await typeInGuest('lspci -tv');
    await typeInGuest(
      'for d in /sys/class/nvme/*; do echo $(cat $d/serial) is behind $(basename $(readlink -f $d/device/iommu)); done',
    );
    await typeInGuest('dd if=/dev/nvme0n1 of=/dev/null bs=1M count=8 2>&1 | tail -1');
    await type("grep -oE 'alloc_viommu.*|install_ste.*type=translate.*' /var/log/libvirt/qemu/demo.log");
  } finally {
    await guest.remove();
  }
}
