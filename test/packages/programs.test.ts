import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY } from '../../bin/build/repository.js';
import { executable, output, packageFile, run, temporaryFolder } from './packages.js';

const GOLDEN = join(REPOSITORY, 'test/golden');
const cases = readdirSync(GOLDEN, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

/** The expected standard output, standard error and exit code of a golden case. */
function golden(name: string): {
  readonly command: readonly string[];
  readonly report: string;
  readonly stdout: string;
} {
  const text = (file: string): string => readFileSync(join(GOLDEN, name, file), 'utf8');
  const [, ...command] = text('command').trim().split(' ');
  const printed = ['output.xml', 'output.txt', 'output.diff'].find((file) => existsSync(join(GOLDEN, name, file)));
  return { command, report: text('report'), stdout: printed === undefined ? '' : text(printed) };
}

/** Installs the npm package offline, and nothing else. */
function installNpmPackage(folder: string): string {
  output(['npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--prefix', folder, packageFile(/\.tgz$/)], {
    env: { ...process.env, npm_config_cache: join(folder, 'cache') },
  });
  return join(folder, 'node_modules/.bin/vsmmu');
}

const npmFolder = mkdtempSync(join(tmpdir(), 'vsmmu-npm-'));
afterAll(() => rmSync(npmFolder, { recursive: true, force: true }));
let npmProgram = '';
beforeAll(() => {
  npmProgram = installNpmPackage(npmFolder);
});

describe.each([
  ['the standalone executable', () => [executable()]],
  ['the npm package, installed offline', () => [process.execPath, npmProgram]],
])('%s', (_, program) => {
  it.each(cases)('prints the golden output: %s', (name) => {
    const { command, report, stdout } = golden(name);
    const { code, stdout: printed, stderr } = run([...program(), ...command]);
    expect({ report: `${stderr}exit code ${code}\n`, stdout: printed }).toEqual({ report, stdout });
  });
});

describe.each([
  ['the standalone executable', () => executable()],
  ['the npm package, started by its shebang', () => npmProgram],
])('%s', (_, program) => {
  const sample = 'rewrite --quiet --topology samples/hosts/host-a.json samples/domains/ml-train.xml';
  const withNode = { env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` } };

  it('reports closed standard output', () => {
    const { code, stderr } = run(['/bin/sh', '-c', `"$0" ${sample} >&-`, program()], withNode);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: 'vsmmu: error: file-unwritable: standard output: it is closed\n',
    });
  });

  it.each(['>/dev/null', '1<>/dev/null'])('prints to %s', (redirection) => {
    const { code, stderr } = run(['/bin/sh', '-c', `"$0" ${sample} ${redirection}`, program()], withNode);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

describe('the standalone executable', () => {
  const sample = ['rewrite', '--quiet', '--topology', 'samples/hosts/host-a.json', 'samples/domains/ml-train.xml'];

  it('has every command', () => {
    const help = output([executable(), '--help']);
    for (const command of [...help.matchAll(/^ {2}vsmmu ([a-z]+(?: [a-z]+)?)/gm)].map(([, name = '']) => name)) {
      expect(output([executable(), ...command.split(' '), '--help'])).toContain(`vsmmu ${command}`);
    }
  });

  it('converts a folder with several threads', () => {
    const folder = temporaryFolder();
    const batch = [
      'batch',
      'convert',
      '--dir',
      'samples/domains',
      '--topology',
      'samples/hosts/dense.json',
      '--jobs',
      '2',
    ];
    const more = ['--out', join(folder, 'out'), '--state', join(folder, 'state'), '--apply', '--quiet'];
    const { code, stderr } = run([executable(), ...batch, ...more], { env: { PATH: '/usr/bin:/bin' } });
    expect([code, stderr.includes('internal')]).toEqual([1, false]);
    const converted = readFileSync(join(folder, 'out/dense-vm.xml'), 'utf8');
    const topology = ['--topology', 'samples/hosts/dense.json', 'samples/domains/dense-vm.xml'];
    expect(converted).toBe(output([executable(), 'rewrite', '--quiet', ...topology]));
  });

  it.each([
    ['.env', 'BUN_BE_BUN=1\nBUN_OPTIONS=--version\nNO_COLOR=1\n'],
    ['bunfig.toml', 'preload = ["./other.js"]\n[run]\nbun = true\n'],
    ['package.json', '{"name":"other","type":"commonjs","imports":{"node:fs":"./other.js"}}'],
    ['tsconfig.json', '{"compilerOptions":{"paths":{"node:fs":["./other.js"]}}}'],
  ])('ignores %s of its working directory', (file, content) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, file), content);
    writeFileSync(join(folder, 'other.js'), "process.stdout.write('other'); process.exit(7);\n");
    const absolute = sample.map((word) => (word.startsWith('samples/') ? join(REPOSITORY, word) : word));
    expect(run([executable(), ...absolute], { cwd: folder })).toEqual(run([executable(), ...absolute]));
  });

  it('needs at most glibc 2.17', () => {
    const versions = [
      ...output(['objdump', '-T', executable()], { env: { PATH: '/usr/bin:/bin' } }).matchAll(/GLIBC_2\.(\d+)/g),
    ];
    expect(Math.max(...versions.map(([, minor]) => Number(minor)))).toBeLessThanOrEqual(17);
  });
});

describe('the npm package', () => {
  /** Packs the repository with an empty cache. */
  function pack(): Buffer {
    const folder = temporaryFolder();
    const env = { ...process.env, npm_config_cache: join(folder, 'cache') };
    const name = output(['npm', 'pack', '--silent', '--pack-destination', folder], { env }).trim().split('\n').at(-1);
    return readFileSync(join(folder, name ?? ''));
  }

  it('has the same bytes when it is packed again', () => {
    expect(pack().equals(readFileSync(packageFile(/\.tgz$/)))).toBe(true);
  });
});
