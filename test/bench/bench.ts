/**
 * Measures vsmmu as ratios to other programs and calls in the same run, so that the results do not depend on the speed of the
 * computer. The fastest of many interleaved runs counts, because other load only adds time. `npm run bench` runs this file.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { XMLParser } from 'fast-xml-parser';
// The built library, because code that tsx runs from the sources is slower.
import { convert, DEFAULT_POLICY, parseDomain, plan, rewrite, scanHost } from 'vsmmu';
import { PARSER_OPTIONS } from '../../src/xml/document.js';
import { soundDomain } from './domain.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
spawnSync('tar', ['-xzf', join(repository, 'test/fixtures/hosts/host-a.sysfs.tar.gz'), '-C', folder], {
  stdio: 'inherit',
});

const sysfs = join(folder, 'sys');
const fixture = join(repository, 'test/fixtures/domain-a.xml');
const rewriteFixture = [join(repository, 'bin/vsmmu'), 'rewrite', '--quiet', '--sysfs', sysfs, fixture];

/** Returns the milliseconds that a call takes. */
function time(call: () => void): number {
  const start = performance.now();
  call();
  return performance.now() - start;
}

/** Runs two calls alternately, `runs` times each, and returns the fastest time of each. */
function fastest(runs: number, one: () => void, other: () => void): [number, number] {
  let [a, b] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < runs; i++) {
    a = Math.min(a, time(one));
    b = Math.min(b, time(other));
  }
  return [a, b];
}

/** Starts Node with these arguments and waits for its end. */
function node(args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr}`);
}

/** Prints the largest resident set of its process on standard error when the process ends. */
const teller = join(folder, 'peak.cjs');
writeFileSync(teller, "process.on('exit', () => process._rawDebug(process.resourceUsage().maxRSS));");

/** Returns the largest resident set of a Node process with these arguments, in KiB. */
function peakMemory(args: readonly string[]): number {
  const { status, stderr } = spawnSync(process.execPath, ['-r', teller, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr}`);
  return Number(stderr);
}

function show(what: string, ratio: number, goal: number | undefined): void {
  const limit = goal === undefined ? '' : `(goal ${goal.toFixed(1)})`;
  process.stdout.write(`${what.padEnd(62)} ${ratio.toFixed(2)} ${limit}\n`);
}

const [whole, bare] = fastest(
  40,
  () => node(rewriteFixture),
  () => node(['-e', '0']),
);
show('whole process: vsmmu rewrite / node -e 0', whole / bare, 3.2);

/** libvirt's hook, installed in the folder of the benchmark. */
const hook = join(folder, 'qemu.d/vsmmu');
const installed = ['hook', 'install', '--quiet', '--dir', folder, '--log', '', '--sysfs', sysfs];
node([join(repository, 'bin/vsmmu'), ...installed]);
const converted = spawnSync(process.execPath, [...rewriteFixture.slice(0, -1), '-'], {
  input: soundDomain(),
  encoding: 'utf8',
}).stdout;

/** Calls a program as libvirt calls its hook, with a valid domain on standard input. */
function call(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { input: converted, stdio: ['pipe', 'ignore', 'pipe'] });
  if (status !== 0 || stderr.length > 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

const [checked, bareAgain] = fastest(
  40,
  () => call(hook, ['vm', 'prepare', 'begin', '-']),
  () => call(process.execPath, ['-e', '0']),
);
show('hook: the check of a domain at its start / node -e 0', checked / bareAgain, 3.2);
const [ignored, nothing] = fastest(
  200,
  () => call(hook, ['vm', 'started', 'begin', '-']),
  () => call('/bin/true', []),
);
show('hook: an ignored operation / /bin/true', ignored / nothing, undefined);

const text = soundDomain();
const host = scanHost(sysfs);
// With attributes, because a domain consists mostly of them.
const parser = new XMLParser({ ...PARSER_OPTIONS, ignoreAttributes: false, parseAttributeValue: false });
const rewriteInProcess = () => {
  const domain = parseDomain(text);
  rewrite(domain, plan(domain, host, DEFAULT_POLICY).plan);
};
const convertInProcess = () => convert(parseDomain(text), host);
const [placed, parsed] = fastest(3000, rewriteInProcess, () => parser.parse(text));
show("in process: parse, plan, rewrite / fast-xml-parser's parse", placed / parsed, 1.8);
const [everything, parsedAgain] = fastest(3000, convertInProcess, () => parser.parse(text));
show("in process: parse, convert / fast-xml-parser's parse", everything / parsedAgain, 2.8);

show('peak memory: vsmmu rewrite / node -e 0', peakMemory(rewriteFixture) / peakMemory(['-e', '0']), undefined);
