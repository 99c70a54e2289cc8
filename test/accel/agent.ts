/** The QEMU guest agent for guests: Debian's arm64 build and the libraries that only it needs. */
import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { packCpio, readEntries } from '../lab/cpio.js';
import { type Workshop, workshopRecipe } from './workshop.js';

const packages = ['qemu-guest-agent', 'libglib2.0-0t64', 'libpcre2-8-0', 'liburing2', 'libnuma1', 'libatomic1'];
const libraries = 'usr/lib/aarch64-linux-gnu';
const folders = ['bin', 'usr', 'usr/lib', libraries];

export const agentRecipe = { packages, workshop: workshopRecipe };

/** Makes the file `target`: an initramfs that Linux unpacks after a guest's own. Throws LabError. */
export async function makeAgent(workshop: Workshop, target: string, say: (line: string) => void): Promise<void> {
  say("fetching the guests' agent");
  await workshop.script(
    `mkdir -p /agent /mnt/agent/bin /mnt/agent/${libraries}
     cd /agent
     apt-get -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$@"
     for package in *.deb; do dpkg-deb --extract "$package" tree; done
     cp tree/usr/sbin/qemu-ga /mnt/agent/bin
     for name in glib gmodule pcre2-8 uring numa atomic; do
       cp --dereference tree/${libraries}/lib$name*.so.[0-9] /mnt/agent/${libraries}
     done`,
    ...packages.map((name) => `${name}:arm64`),
  );
  const files = (await readEntries(workshop.shared('agent'), '')).filter(({ kind }) => kind === 'file');
  const entries = [...folders.map((path) => ({ path, kind: 'folder' }) as const), ...files];
  await writeFile(target, gzipSync(packCpio(entries)));
}
