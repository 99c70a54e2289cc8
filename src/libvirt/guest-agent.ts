import { EnvironmentError } from '../diagnostics/errors.js';
import { libvirtRefused } from '../diagnostics/libvirt.js';
import type { Connection, DomainUuid } from './connection.js';

/** The time limit of a script in a guest, and the interval for checking whether it has ended. */
const LIMIT_SECONDS = 60;
const PAUSE_MS = 200;

/**
 * Runs a shell script in a guest through its QEMU guest agent (`guest-exec`), as the agent's user, which is usually
 * root.
 * @returns its output, which is untrusted input, like every answer of the agent
 * @throws EnvironmentError if there is no agent, it may not execute programs, or its answer is invalid
 */
export async function runInGuest(
  connection: Pick<Connection, 'askAgent'>,
  uuid: DomainUuid,
  script: string,
): Promise<string> {
  const started = await connection.askAgent(uuid, {
    execute: 'guest-exec',
    arguments: {
      path: '/bin/sh',
      arg: ['-s'],
      'input-data': Buffer.from(script).toString('base64'),
      'capture-output': true,
    },
  });
  const pid = resultOf(started, 'pid');
  if (!Number.isSafeInteger(pid)) throw invalidResponse();
  for (const end = Date.now() + LIMIT_SECONDS * 1000; Date.now() < end; ) {
    const status = await connection.askAgent(uuid, { execute: 'guest-exec-status', arguments: { pid } });
    if (resultOf(status, 'exited') === true) {
      const output = resultOf(status, 'out-data') ?? '';
      if (typeof output !== 'string') throw invalidResponse();
      return Buffer.from(output, 'base64').toString('utf8');
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new EnvironmentError(libvirtRefused.agentTimeout({ seconds: LIMIT_SECONDS }));
}

/** Returns a value from the `return` object of an answer. */
function resultOf(answer: unknown, key: string): unknown {
  const { return: result } = Object(answer) as { readonly return?: unknown };
  return (Object(result) as Readonly<Record<string, unknown>>)[key];
}

function invalidResponse(): EnvironmentError {
  return new EnvironmentError(libvirtRefused.agentResponse());
}
