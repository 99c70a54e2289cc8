/** Programs of ours inside a lab: there they find libvirt, and libvirt them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Lab } from './lab.js';

/** A connection of ours to the lab's libvirt, which lives in the lab. */
export interface RemoteConnection extends AsyncDisposable {
  /** Calls a method of it: its answer, or `{error, codes, message}`. */
  call(method: string, ...args: readonly unknown[]): Promise<unknown>;
}

/** What a call gives that fails. */
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
