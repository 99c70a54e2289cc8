/**
 * The lab's agent on the host. Reads requests from a virtio-serial port, one JSON document per line, and answers each with a
 * line. It runs in the host's Node and imports only Node's own modules.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, read, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/** The port, found by its name, because its number depends on the emulated machine. */
function openPort(name) {
  const ports = '/sys/class/virtio-ports';
  const number = readdirSync(ports).find((each) => readFileSync(`${ports}/${each}/name`, 'utf8').trim() === name);
  return openSync(`/dev/${number}`, 'r+');
}

const port = openPort('agent');

function answer(id, body) {
  let rest = Buffer.from(`${JSON.stringify({ id, ...body })}\n`);
  while (rest.length > 0) rest = rest.subarray(writeSync(port, rest));
}

/** The environment of a login. */
const environment = {
  HOME: '/root',
  LANG: 'C',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
};

/** Runs a program to its end; killed with its whole process group after `limitSeconds`. */
function run({ argv, input = '', limitSeconds = 120 }) {
  return new Promise((resolve) => {
    const [file, ...args] = argv;
    const child = spawn(file, args, { cwd: '/root', detached: true, env: environment });
    const stdout = [];
    const stderr = [];
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      process.kill(-child.pid, 'SIGKILL');
    }, limitSeconds * 1000);
    child.stdout.on('data', (chunk) => stdout.push(chunk));
    child.stderr.on('data', (chunk) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      clearTimeout(limit);
      resolve({ code: 127, stdout: '', stderr: `${error.message}\n`, late });
    });
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      const text = (chunks) => Buffer.concat(chunks).toString();
      resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 143), stdout: text(stdout), stderr: text(stderr), late });
    });
    child.stdin.end(input);
  });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Writes a file, and creates the folders above it. */
async function put({ path, content }) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return {};
}

/** Waits until a file that another program writes contains a text. Returns the whole file, and whether it contains the text. */
async function waitFor({ file, words, limitSeconds = 120 }) {
  const end = Date.now() + limitSeconds * 1000;
  for (;;) {
    const text = existsSync(file) ? readFileSync(file, 'latin1') : '';
    if (text.includes(words)) return { found: true, text };
    if (Date.now() > end) return { found: false, text };
    await pause(100);
  }
}

let questions = 0;

/** Runs a line on a guest's console (guest/init). Returns its output and exit code. */
function ask({ socket, line, limitSeconds = 60 }) {
  const number = ++questions;
  return new Promise((resolve) => {
    let output = '';
    const connection = connect(socket);
    const done = (body) => {
      clearTimeout(limit);
      connection.destroy();
      resolve(body);
    };
    const limit = setTimeout(() => done({ code: -1, stdout: output, late: true }), limitSeconds * 1000);
    connection.setEncoding('latin1');
    connection.on('error', (error) => done({ code: -1, stdout: error.message, late: false }));
    connection.on('data', (chunk) => {
      output += chunk;
      const end = new RegExp(`@@${number} (\\d+)@@`).exec(output);
      if (end === null) return;
      const begin = output.indexOf(`@@${number} begin@@`);
      const stdout = output
        .slice(begin + `@@${number} begin@@`.length, end.index)
        .replaceAll('\r\n', '\n')
        .trimStart();
      done({ code: Number(end[1]), stdout, late: false });
    });
    connection.write(`${number} ${line}\n`);
  });
}

const operations = { ping: async () => ({}), put, run, waitFor, ask };
const chunk = Buffer.alloc(65536);
let pending = '';

function next() {
  read(port, chunk, 0, chunk.length, null, (error, count) => {
    // The port reports its end while no client is connected.
    if (error || count === 0) return void setTimeout(next, 100);
    pending += chunk.toString('utf8', 0, count);
    const lines = pending.split('\n');
    pending = lines.pop();
    for (const line of lines) {
      const { id, operation, ...request } = JSON.parse(line);
      operations[operation](request).then(
        (body) => answer(id, body),
        (failure) => answer(id, { failure: String(failure) }),
      );
    }
    next();
  });
}

next();
