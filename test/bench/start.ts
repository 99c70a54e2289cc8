/**
 * Measures the start of the standalone executable, as ratios to a bare Node and to virt-xml: `npm run bench`. Each is the median
 * of the ratios of consecutive runs, so it does not depend on the speed of the computer.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../../bin/build/repository.js';
import { buildOwnExecutable } from '../lab/executable.js';
import { soundDomain } from './domain.js';

const vsmmu = buildOwnExecutable();
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
spawnSync('tar', ['-xzf', join(REPOSITORY, 'test/fixtures/hosts/host-a.sysfs.tar.gz'), '-C', folder]);

const domain = join(folder, 'domain.xml');
writeFileSync(domain, soundDomain());

interface Command {
  readonly argv: readonly string[];
  /** A file for standard input. */
  readonly input?: string;
}

const node: Command = { argv: [process.execPath, '-e', '0'] };
const sysfs = ['--sysfs', join(folder, 'sys')];
const rewrite: Command = { argv: [vsmmu, 'rewrite', '--quiet', ...sysfs, domain] };
const converted = join(folder, 'converted.xml');
writeFileSync(converted, run(rewrite));
run({ argv: [vsmmu, 'hook', 'install', '--quiet', '--dir', folder, '--log', '', ...sysfs] });
const hook: Command = { argv: [join(folder, 'qemu.d/vsmmu'), 'vm', 'prepare', 'begin', '-'], input: converted };

/** Runs a command, which must succeed without messages, and returns its standard output. */
function run({ argv: [program = '', ...args], input = '/dev/null' }: Command): string {
  const stdin = openSync(input, 'r');
  const { status, stdout, stderr } = spawnSync(program, args, { stdio: [stdin, 'pipe', 'pipe'], encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

function milliseconds(command: Command): number {
  const start = performance.now();
  run(command);
  return performance.now() - start;
}

/** Returns the largest resident set of a command, in KiB. Uses Python, because Node does not report that of a child. */
function peakMemory({ argv }: Command): number {
  const script =
    'import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)';
  return Number(run({ argv: ['python3', '-c', script, ...argv] }));
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** Returns the median of the ratios of two measurements, taken one after the other. */
const ratio = (runs: number, measure: (command: Command) => number, one: Command, other: Command): number =>
  median(Array.from({ length: runs }, () => measure(one) / measure(other)));

function show(what: string, found: number, goal: number): void {
  process.stdout.write(`${what.padEnd(62)} ${found.toFixed(2)} (goal ${goal})\n`);
}

show('executable: vsmmu rewrite / node -e 0', ratio(41, milliseconds, rewrite, node), 0.6);
show('executable: the hook checks a domain at its start / node -e 0', ratio(41, milliseconds, hook, node), 0.6);
show('executable: vsmmu --version / node -e 0', ratio(41, milliseconds, { argv: [vsmmu, '--version'] }, node), 0.3);
show('executable: peak memory of vsmmu rewrite / node -e 0', ratio(5, peakMemory, rewrite, node), 1.2);

// libvirt's test driver runs in the client, so no daemon is needed.
const virtXml = (process.env.PATH ?? '')
  .split(':')
  .map((each) => join(each, 'virt-xml'))
  .find(existsSync);
if (virtXml === undefined) {
  process.stdout.write(
    'executable: vsmmu rewrite / virt-xml --edit: not measured, virt-xml is not in the PATH (virtinst)\n',
  );
} else {
  const edit = ['--connect', 'test:///default', '--edit', '--metadata', 'title=x', '--print-xml'];
  const found = ratio(15, milliseconds, rewrite, { argv: [virtXml, ...edit], input: domain });
  show(`executable: vsmmu rewrite / ${virtXml} --edit`, found, 0.15);
}
