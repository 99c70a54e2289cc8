import { readFileSync, readlinkSync } from 'node:fs';
import type { WriteStream } from 'node:tty';
import { codeOf, escapeControls, escapeControlsInJson, escapeControlsInXml } from '../../escape.js';
import { hasUtf8, toAscii } from './locale.js';

/**
 * Everything that a command prints passes through one of these functions: names, metadata and messages are untrusted
 * input, and must not be able to control a terminal.
 */

/** fcntl(2); Node's constants do not have it. */
const O_CLOEXEC = 0o2000000;

/** The colours that vsmmu itself prints. */
const COLOUR = new RegExp(`(${'\u001b'}\\[(?:[12]|22|3[1-6]|39)m)`);

/**
 * Whether standard output was closed at the start. Node and Bun then open /dev/null instead. For Node, bin/vsmmu checks
 * before it starts Node; for Bun, the descriptor shows it.
 */
const isClosed = process.versions.bun === undefined ? process.env.VSMMU_STDOUT === 'closed' : openedByBun();
delete process.env.VSMMU_STDOUT;

/**
 * Whether Bun opened standard output: Bun's /dev/null is close-on-exec, an inherited descriptor never is. This does not
 * work for Node, which changes the flag of all descriptors.
 */
function openedByBun(): boolean {
  try {
    if (readlinkSync('/proc/self/fd/1') !== '/dev/null') return false;
    const [, flags = ''] = /^flags:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/fdinfo/1', 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    return false; // Unknown without /proc.
  }
}

function writeOut(text: string): void {
  if (text === '') return;
  if (isClosed) process.stdout.emit('error', new Error('it is closed'));
  else process.stdout.write(text);
}

/** Prints text for people on standard output. */
export function print(text: string): void {
  writeOut(forPeople(text, process.stdout));
}

/** Prints text for people on standard error. */
export function say(text: string): void {
  if (text !== '') process.stderr.write(forPeople(text, process.stderr));
}

/** Prints XML, or DOT with its XML labels, on standard output; escapes it only for a terminal. */
export function printMarkup(xml: string): void {
  writeOut(process.stdout.isTTY ? escapeControlsInXml(xml) : xml);
}

/** Prints a patch on standard output; escapes it only for a terminal. */
export function printPatch(patch: string): void {
  if (process.stdout.isTTY) print(patch);
  else writeOut(patch);
}

/** Prints a part of a JSON document on standard output. */
export function printJsonText(json: string): void {
  const safe = escapeControlsInJson(json);
  writeOut(hasUtf8() ? safe : safe.replace(/[\u0080-\uffff]/g, codeOf));
}

/** Whether a stream is a terminal that shows colours; https://no-color.org. */
export function showsColours(stream: WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

function forPeople(text: string, stream: WriteStream): string {
  const parts = showsColours(stream) ? text.split(COLOUR) : [text];
  const safe = parts.map((part, i) => (i % 2 === 1 ? part : escapeControls(part))).join('');
  if (hasUtf8()) return safe;
  return safe
    .split(COLOUR)
    .map((part, i) => (i % 2 === 1 ? part : toAscii(part)))
    .join('');
}
