/** Runs a connection in the lab for a caller outside: each line of JSON, `[method, …arguments]`, gets a line as answer. */
import { createInterface } from 'node:readline';
import { DiagnosedError } from '../../src/diagnostics/errors.js';
import { Connection } from '../../src/libvirt/connection.js';

const [uri = '', options = '{}'] = process.argv.slice(2);
const connection = new Connection(uri, JSON.parse(options));

async function call(method: string, args: readonly unknown[]): Promise<unknown> {
  try {
    const answer = Reflect.apply(Reflect.get(connection, method), connection, args);
    return { answer: (await answer) ?? null };
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    return { error: error.name, codes: error.diagnostics.map((d) => d.code), message: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [method, ...args] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await call(method, args))}\n`);
}
await connection.close();
