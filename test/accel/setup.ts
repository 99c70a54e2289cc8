/** Starts the host before the tests, or prints one line with the reason why it cannot. Prints what the tests showed at the end. */
import { performance } from 'node:perf_hooks';
import type { TestProject } from 'vitest/node';
import { LabError } from '../lab/process.js';
import { runningPid } from '../lab/running.js';
import { AccelHost, record, upFolder } from './host.js';
import { allPassed, shown } from './proven.js';
import { writeStamp } from './stamp.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The host's folder, and the first process of its jail. */
    accel: { readonly folder: string; readonly pid: number };
  }
}

const say = (line: string): void => void process.stderr.write(`accel: ${line}\n`);

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // A host of `npm run lab -- accel up` saves time during work on the tests. Its results do not count for proven.json.
  const up = process.env.VSMMU_ACCEL_HOST === 'up' ? runningPid(record) : undefined;
  if (up !== undefined) {
    project.provide('accel', { folder: upFolder(), pid: up });
    return async () => undefined;
  }
  let host: AccelHost;
  try {
    host = await AccelHost.start({}, say);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    say(error.message);
    process.exit(3);
  }
  say(`the host is up after ${Math.round(performance.now() / 1000)} s`);
  await host.disconnect();
  project.provide('accel', { folder: host.folder, pid: host.jail.pid });
  return async () => {
    await host[Symbol.asyncDispose]();
    const modules = project.vitest.state.getTestModules();
    for (const line of shown(modules)) process.stdout.write(`accel: ${line}\n`);
    if (allPassed(modules)) await writeStamp();
  };
}
