/**
 * Measures batches of files and of a real libvirt, as ratios: `npm run bench`. It takes 15 minutes and 3 GB of disk.
 *
 * xsltproc is measured in two ways, both on all cores with an identity stylesheet. One process per file is the only way to make
 * one result per file, because a process writes all its results to one output. One process for many files without output is the
 * cost of the transformation alone.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Lab } from '../lab/lab.js';
import { connect, Tool } from '../lab/tool.js';
import { domain, writeFleet } from './fleet.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const cores = availableParallelism();
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const IDENTITY = `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
</xsl:stylesheet>`;

/** Prints the largest resident set of its process on standard error when the process ends. */
const teller = join(folder, 'peak.cjs');
writeFileSync(
  teller,
  "if (require('node:worker_threads').isMainThread) process.on('exit', () => process._rawDebug(process.resourceUsage().maxRSS));",
);
const stylesheet = join(folder, 'identity.xsl');
writeFileSync(stylesheet, IDENTITY);

function show(what: string, ratio: number, goal: string): void {
  process.stdout.write(`${what.padEnd(66)} ${ratio.toFixed(2)} (goal ${goal})\n`);
}

/**
 * Makes a new folder. Nothing is deleted before the end: for a minute after many files were deleted, ext4 creates files slowly,
 * because it does not reuse the inodes of recently deleted files and searches for others.
 */
function fresh(name: string): string {
  return mkdtempSync(join(folder, name));
}

/** Seconds of wall-clock time, and of CPU time of all CPUs. */
interface Duration {
  readonly wall: number;
  readonly cpu: number;
}

/** Converts a copy of a folder in place, with journal and backups. `peak` is the largest resident set in KiB. */
function convert(from: string): Duration & { readonly peak: number } {
  const to = fresh('ours-');
  cpSync(from, to, { recursive: true });
  const vsmmu = `${process.execPath} -r ${teller} ${join(repository, 'bin/vsmmu')} batch convert`;
  const host = join(repository, 'samples/hosts/host-a.json');
  const where = `--dir ${to} --in-place --state ${fresh('state-')} --topology ${host}`;
  const { stderr, ...duration } = shell(`${vsmmu} ${where} --apply --quiet >/dev/null`);
  // Other lines are warnings, such as about the installed libvirt.
  return { ...duration, peak: Number(stderr.trim().split('\n').at(-1)) };
}

/** Runs a shell command. */
function shell(line: string): Duration & { readonly stderr: string } {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `${line} && times`], { encoding: 'utf8' });
  const wall = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(stderr);
  // The second line has the user and the system time of the children: `0m1.230000s 0m0.450000s`.
  const times = [...(stdout.trim().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  const cpu = times.reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
  return { wall, cpu, stderr };
}

/** Transforms a folder into another with xsltproc, with one process per file. */
function transformEach(from: string): Duration {
  const to = fresh('xslt-');
  const folders = `find . -type d | (cd ${to} && xargs mkdir -p)`;
  const files = `find . -name '*.xml' | xargs -P${cores} -I{} xsltproc -o ${to}/{} ${stylesheet} {}`;
  return shell(`cd ${from} && ${folders} && ${files}`);
}

/** Number of files; VSMMU_BENCH_FILES sets another for a shorter run. */
const count = Number(process.env.VSMMU_BENCH_FILES ?? 10_000);

function files(): void {
  const [small, large] = [join(folder, 'small'), join(folder, 'large')];
  writeFleet(small, count);
  const both = [0, 1].map(() => ({ ours: convert(small), each: transformEach(small) }));
  const least = (of: (round: (typeof both)[number]) => number) => Math.min(...both.map(of));
  const [wall, cpu] = [least(({ ours }) => ours.wall), least(({ ours }) => ours.cpu)];
  const many = shell(`cd ${small} && find . -name '*.xml' | xargs -P${cores} -n500 xsltproc ${stylesheet} >/dev/null`);
  show(`${count} files: our rate / xsltproc, one process per file`, least(({ each }) => each.wall) / wall, '2.0');
  show(`${count} files: CPU time of xsltproc, one process per file / ours`, least(({ each }) => each.cpu) / cpu, '2.0');
  show(`${count} files: our rate / xsltproc, 500 files per process, no output`, many.wall / wall, 'none');
  writeFleet(large, 10 * count);
  const ten = convert(large);
  show(`${10 * count} files: time / ten times that of ${count}`, ten.wall / (10 * wall), '1.0');
  show(`${10 * count} files: CPU time / ten times that of ${count}`, ten.cpu / (10 * cpu), '1.0');
  show(
    `${10 * count} files: peak memory / that of ${count}`,
    ten.peak / Math.max(...both.map(({ ours }) => ours.peak)),
    '1.1',
  );
}

/** Measures the share of a batch's time that is not spent in libvirt. Sends the same requests without a batch to compare. */
async function libvirt(): Promise<void> {
  await using lab = await Lab.start();
  const tool = await Tool.install(lab);
  await using connection = await connect(lab, 'qemu:///system');
  const uuids = Array.from({ length: 1000 }, (_, i) => `6f0f2a52-1b0c-4c7e-9d7e-${i.toString(16).padStart(12, '0')}`);
  for (const i of uuids.keys()) {
    const answer = await connection.call('define', domain(i, 'qemu'), { validate: false });
    if (answer !== null) throw new Error(JSON.stringify(answer));
  }
  const state = ['--state', '/tmp/state', '--quiet', '--jobs', '1'];
  const convert = ['batch', 'convert', '--all', ...tool.here.slice(2), ...state, '--apply'];
  const batch = async (): Promise<number> => {
    const start = performance.now();
    const { code, stderr } = await tool.run(convert);
    if (code !== 0) throw new Error(stderr);
    return performance.now() - start;
  };
  let ours = await batch();
  const dump = { inactive: true, security: true };
  const definitions: unknown[] = [];
  for (const uuid of uuids) definitions.push([uuid, await connection.call('dumpXml', uuid, dump)]);
  await lab.jail.put('/tmp/definitions.json', JSON.stringify(definitions));
  const entryPoints = [fileURLToPath(new URL('virsh-driver.ts', import.meta.url))];
  const bundle = {
    entryPoints,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
  } as const;
  await lab.jail.put('/tmp/virsh-driver.mjs', (await build(bundle)).outputFiles[0]?.contents ?? '');
  let bare = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 2; round++) {
    await tool.run(['batch', 'rollback', ...state]);
    bare = Math.min(bare, Number(await lab.jail.output(['node', '/tmp/virsh-driver.mjs'])));
    await tool.run(['batch', 'rollback', ...state, '--force']);
    ours = Math.min(ours, await batch());
  }
  show('1 000 domains of a libvirt: share that is not define or dumpxml', 1 - bare / ours, '0.05');
}

const parts = { files, libvirt };
const asked = process.argv.slice(2);
for (const [name, part] of Object.entries(parts)) if (asked.length === 0 || asked.includes(name)) await part();
