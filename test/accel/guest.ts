/** Starts guests on the host and runs commands in them. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { packCpio } from '../lab/cpio.js';
import { type GuestView, parseView, programEntries, whyItStopped } from '../lab/guest.js';
import { LabError } from '../lab/process.js';
import { consoleLog, consoleSocket, qemuLog } from './domains.js';
import type { AccelHost } from './host.js';

/** The initramfs of a guest: busybox, lspci, the lab's guest/report, and guest/init. */
export async function guestInitrd(): Promise<Buffer> {
  const file = async (path: string, source: string) => {
    const data = await readFile(fileURLToPath(new URL(source, import.meta.url)));
    return { path, kind: 'file', data, executable: true } as const;
  };
  const own = [await file('init', './guest/init'), await file('report', '../lab/guest/report')];
  return gzipSync(packCpio([...(await programEntries()), ...own]), { level: 1 });
}

/** A guest that was made with `domainXml`. */
export class AccelGuest {
  constructor(
    private readonly host: AccelHost,
    readonly name: string,
  ) {}

  /** Starts it. Throws LabError with libvirt's message if that fails. */
  async start(): Promise<void> {
    await this.host.output(['virsh', '--quiet', 'start', this.name]);
  }

  /** Waits until it accepts commands. Throws LabError with the reason if it takes too long or ends. */
  async ready(limitSeconds = 120): Promise<void> {
    const request = { file: consoleLog(this.name), words: '@@ready@@', limitSeconds };
    const { found, text } = await this.host.ask('waitFor', request);
    if (found !== true) throw new LabError(`the guest was not ready: ${whyItStopped(String(text))}`);
  }

  /** Runs a line of shell in it. Throws LabError if the line fails or takes too long. */
  async run(line: string, limitSeconds = 60): Promise<string> {
    const request = { socket: consoleSocket(this.name), line, limitSeconds };
    const { code, stdout } = await this.host.ask('ask', request);
    if (code !== 0) throw new LabError(`in the guest, ${line} ended with ${code}: ${stdout}`);
    return String(stdout);
  }

  /** Its PCI devices, SMMUs and NUMA nodes. */
  async view(): Promise<GuestView> {
    return parseView(await this.run('. /report'));
  }

  /** The log of QEMU, including its trace. */
  async readQemuLog(): Promise<string> {
    return await this.host.output(['cat', qemuLog(this.name)]);
  }

  /** Destroys it, if it runs, and undefines it. */
  async remove(): Promise<void> {
    await this.host.run(['virsh', '--quiet', 'destroy', this.name]);
    await this.host.run(['virsh', '--quiet', 'undefine', '--nvram', this.name]);
  }
}
