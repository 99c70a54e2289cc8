import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../src/diagnostics/errors.js';
import type { DomainUuid } from '../../src/libvirt/connection.js';
import { runInGuest } from '../../src/libvirt/guest-agent.js';

const UUID = '00000000-0000-4000-8000-000000000001' as DomainUuid;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A fake agent with these answers, in order. test/accel uses a real one on the emulated host. */
function agent(...answers: readonly unknown[]) {
  const asked: Record<string, unknown>[] = [];
  const askAgent = async (_: DomainUuid, command: object): Promise<unknown> => {
    asked.push(command as Record<string, unknown>);
    return answers[asked.length - 1];
  };
  return { asked, askAgent };
}

describe('a script for a guest', () => {
  it('is passed to a shell on standard input, and runs to its end', async () => {
    const guest = agent(
      { return: { pid: 42 } },
      { return: { exited: false } },
      { return: { exited: true, exitcode: 0, 'out-data': base64('hello\n') } },
    );
    expect(await runInGuest(guest, UUID, 'echo hello')).toBe('hello\n');
    expect(guest.asked[0]).toEqual({
      execute: 'guest-exec',
      arguments: { path: '/bin/sh', arg: ['-s'], 'input-data': base64('echo hello'), 'capture-output': true },
    });
    expect(guest.asked[2]).toEqual({ execute: 'guest-exec-status', arguments: { pid: 42 } });
  });

  it('may print nothing', async () => {
    expect(await runInGuest(agent({ return: { pid: 1 } }, { return: { exited: true } }), UUID, '')).toBe('');
  });

  it.each([
    ['a value that is not an object', [null]],
    ['no pid', [{ return: {} }]],
    ['a pid that is not a number', [{ return: { pid: '1; reboot' } }]],
    ['a pid that is not an integer', [{ return: { pid: 1.5 } }, { return: { exited: true } }]],
    ['output that is not text', [{ return: { pid: 1 } }, { return: { exited: true, 'out-data': { length: 9 } } }]],
  ])('fails if the agent answers with %s', async (_, answers) => {
    await expect(runInGuest(agent(...answers), UUID, '')).rejects.toThrow(EnvironmentError);
  });
});
