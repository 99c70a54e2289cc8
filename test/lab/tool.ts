/** Runs vsmmu inside a lab, with access to its libvirt. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { ownExecutable } from './executable.js';
import type { Lab } from './lab.js';
import { output, type Result, type RunOptions } from './process.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Folder of vsmmu in a lab, and the host that it uses. */
const folder = '/tmp/vsmmu';
export const sysfs = '/tmp/host/sys';

/** The standalone executable in a lab, with a captured host's /sys beside it. */
export class Tool {
  /** Options that every command needs here: no KVM, a captured host. */
  readonly here = ['--connect', 'qemu:///system', '--sysfs', sysfs, '--force-tcg'];
  readonly path = `${folder}/bin/vsmmu`;

  private constructor(private readonly lab: Lab) {}

  static async install(lab: Lab): Promise<Tool> {
    const programs = ['-C', dirname(ownExecutable()), 'vsmmu', '-C', `${repository}bin`, 'onDefineDomain'];
    await unpack(lab, ['tar', 'cf', '-', ...programs], `${folder}/bin`);
    await unpackHost(lab, 'host-a', '/tmp/host');
    return new Tool(lab);
  }

  /** Runs `vsmmu` there. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.lab.run([this.path, ...args], options);
  }

  /** Runs a shell command on a terminal, and answers its first prompt. */
  async atTerminal(
    line: string,
    { prompt, answer, env = {} }: { prompt: RegExp; answer: () => string | Promise<string>; env?: NodeJS.ProcessEnv },
  ): Promise<{ readonly code: number | null; readonly shown: string }> {
    const settings = Object.entries(env).map(([name, text]) => `${name}=${text}`);
    const words = ['env', ...settings, 'script', '--quiet', '--return', '--command', line, '/dev/null'];
    const [program = '', ...args] = this.lab.jail.argv(words);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let shown = '';
    let asked = false;
    child.stdout.on('data', async (chunk: Buffer) => {
      shown += chunk.toString();
      if (asked || !prompt.test(shown)) return;
      asked = true;
      child.stdin.write(await answer());
    });
    const [code] = await once(child, 'close');
    return { code, shown };
  }
}

/** Unpacks a captured host into a folder of the lab. */
export async function unpackHost(lab: Lab, name: string, target: string): Promise<void> {
  await unpack(lab, ['gunzip', '-c', `${repository}test/fixtures/hosts/${name}.sysfs.tar.gz`], target);
}

async function unpack(lab: Lab, archive: readonly string[], target: string): Promise<void> {
  const quoted = archive.map((word) => `'${word}'`).join(' ');
  await lab.jail.output(['mkdir', '-p', target]);
  // Through a file: standard output is text here.
  const file = `${(await output(['mktemp'])).trim()}`;
  try {
    await output(['sh', '-c', `${quoted} > ${file}`]);
    await lab.jail.output(['tar', 'xf', '-', '-C', target], { input: await readFile(file) });
  } finally {
    await rm(file);
  }
}

/** A connection of vsmmu to the lab's libvirt, which runs in the lab. */
export interface RemoteConnection extends AsyncDisposable {
  /** Calls a method of the connection. Returns its result, or `{error, codes, message}`. */
  call(method: string, ...args: readonly unknown[]): Promise<unknown>;
}

/** The result of a failed call. */
export interface Failure {
  readonly error: string;
  readonly codes: readonly string[];
  readonly message: string;
}

/** Opens a connection in the lab. */
export async function connect(lab: Lab, uri: string, options: object = {}): Promise<RemoteConnection> {
  const entryPoints = [fileURLToPath(new URL('connection-driver.ts', import.meta.url))];
  const { outputFiles } = await build({ entryPoints, bundle: true, platform: 'node', format: 'esm', write: false });
  await lab.jail.put('/tmp/connection-driver.mjs', outputFiles[0]?.contents ?? '');
  const [program = '', ...args] = lab.jail.argv(['node', '/tmp/connection-driver.mjs', uri, JSON.stringify(options)]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    call: async (...words) => {
      child.stdin.write(`${JSON.stringify(words)}\n`);
      const { value } = await lines.next();
      const said = JSON.parse(String(value)) as { readonly answer?: unknown };
      return 'answer' in said ? said.answer : said;
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'close');
      child.stdin.end();
      await ended;
    },
  };
}
