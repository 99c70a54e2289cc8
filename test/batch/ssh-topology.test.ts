/** How vsmmu calls ssh and uses its output, with a fake ssh. test/lab uses a real one. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sshTopology } from '../../src/batch/ssh-topology.js';
import { HOST } from '../cli/batch-sandbox.js';
import { temporaryFolder } from '../cli/run.js';

/** Puts a fake ssh first in PATH until the test ends. @returns its folder */
function withSsh(script: string | undefined): string {
  const { PATH = '' } = process.env;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  const folder = temporaryFolder();
  if (script !== undefined) {
    writeFileSync(join(folder, 'ssh'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'ssh'), 0o755);
  }
  process.env.PATH = script === undefined ? folder : `${folder}:${PATH}`;
  return folder;
}

const failed = (message: string) => ({ diagnostics: [{ code: 'ssh-failed', message }] });

describe('the topology of a remote host', () => {
  it('is the output of vsmmu there, with a constant command and without a password prompt', async () => {
    const folder = withSsh(`printf '%s\\n' "$@" > "$(dirname "$0")/args"; cat '${HOST}'`);
    const host = await sshTopology('qemu+ssh://root@host.example:2222/system');
    expect(host.topology).toEqual(JSON.parse(readFileSync(HOST, 'utf8')));
    const args = '-T|-o|BatchMode=yes|-l|root|-p|2222|--|host.example|vsmmu topology --json';
    expect(readFileSync(join(folder, 'args'), 'utf8').trimEnd().split('\n')).toEqual(args.split('|'));
  });

  it('is an error with the last line of ssh if ssh fails', async () => {
    withSsh(`cat '${HOST}'; echo "Warning: something" >&2; echo "Permission denied" >&2; exit 255`);
    await expect(sshTopology('qemu+ssh://host/system')).rejects.toMatchObject(failed('ssh host: Permission denied'));
  });

  it('is an error if ssh fails without a message', async () => {
    withSsh('exit 7');
    await expect(sshTopology('qemu+ssh://host/system')).rejects.toMatchObject(failed('ssh host: it ended with 7'));
  });

  it('is an error if ssh is not installed', async () => {
    withSsh(undefined);
    await expect(sshTopology('qemu+ssh://host/system')).rejects.toMatchObject(failed('ssh host: ssh is not installed'));
  });
});
