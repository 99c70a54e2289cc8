import { spawn } from 'node:child_process';
import { sshFailed } from '../diagnostics/batch.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import type { Host } from '../host/host.js';
import { readTopology } from '../host/snapshot.js';
import { describeIoError } from '../io/errors.js';
import { sshTarget } from '../libvirt/uri.js';

/**
 * Returns the host of a remote libvirt, as `vsmmu topology` reports it there.
 * @throws InputError `usage`, `topology-invalid`; EnvironmentError `ssh-failed`
 */
export async function sshTopology(uri: string): Promise<Host> {
  const { host, user, port } = sshTarget(uri);
  const args = [...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port])];
  // The command is the same for every host: the remote shell gets no user input.
  const output = await runSsh(host, ['-T', '-o', 'BatchMode=yes', ...args, '--', host, 'vsmmu topology --json']);
  return readTopology(output, host);
}

function runSsh(host: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errorOutput = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errorOutput = (errorOutput + text).slice(-10_000);
    });
    const failed = (why: string) => new EnvironmentError(sshFailed({ host, why }));
    child.once('error', (error) => reject(failed(describeIoError(error))));
    child.once('close', (code) => {
      if (code === 0) resolve(output);
      else reject(failed(errorOutput.trim().split('\n').at(-1) || `it ended with ${code}`));
    });
  });
}
