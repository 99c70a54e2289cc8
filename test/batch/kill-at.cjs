/**
 * Loaded into every thread of Node (`-r`). Kills the process when its threads together make call number KILL_AT to the file
 * system. Without KILL_AT, writes the number of calls to the file CALLS at the end.
 */
const fs = require('node:fs');
const { getEnvironmentData, isMainThread, setEnvironmentData } = require('node:worker_threads');

if (isMainThread) setEnvironmentData('calls', new SharedArrayBuffer(4));
const calls = new Int32Array(getEnvironmentData('calls'));
const killAt = Number(process.env.KILL_AT ?? 0);

function count() {
  if (Atomics.add(calls, 0, 1) + 1 !== killAt) return;
  process.kill(process.pid, 'SIGKILL');
  // Stops this thread until the signal arrives.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function countCalls(object, names) {
  for (const name of names) {
    const original = object[name];
    object[name] = function (...args) {
      count();
      return Reflect.apply(original, this, args);
    };
  }
}

const NAMES = [
  'fchmod',
  'fchown',
  'fdatasync',
  'fsync',
  'ftruncate',
  'mkdir',
  'open',
  'readFile',
  'rename',
  'rm',
  'write',
  'writeFile',
];
countCalls(
  fs,
  NAMES.flatMap((name) => [name, `${name}Sync`]),
);
countCalls(fs.promises, ['lstat', 'open', 'readFile', 'readdir', 'rename', 'rm', 'writeFile']);

if (isMainThread && process.env.CALLS) {
  const { CALLS } = process.env;
  process.on('exit', () => fs.writeFileSync(CALLS, String(calls[0])));
}
