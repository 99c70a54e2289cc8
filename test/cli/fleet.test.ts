import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, vsmmu } from './run.js';

const HOSTS = 'samples/hosts';
const samples = ['arm-server', 'dense', 'gb10', 'gb200', 'host-a', 'small', 'x86'].map(
  (name) => `${HOSTS}/${name}.json`,
);

describe('the report on a fleet', () => {
  it('has a row per host, and the firmware settings that could make more devices placeable', async () => {
    const { code, stdout } = vsmmu(['topology', '--fleet', ...samples]);
    expect(code).toBe(0);
    await expect(stdout).toMatchFileSnapshot('golden/fleet.txt');
  });

  it('lists equal findings of several hosts once, with at most eight host names', () => {
    const many = Array<string>(10).fill(`${HOSTS}/dense.json`);
    const folder = temporaryFolder();
    const copies = many.map((from, n) => {
      copyFileSync(from, join(folder, `h${n}.json`));
      return join(folder, `h${n}.json`);
    });
    const text = (files: readonly string[]) => vsmmu(['topology', '--fleet', ...files]).stdout.replace(/\s+/g, ' ');
    expect(text(many)).toContain('2 Ethernet (dense, 10 times) ');
    expect(text(copies)).toContain('2 Ethernet (h0; h1; h2; h3; h4; h5; h6; h7; and 2 more)');
  });

  it('includes the readable snapshots if another one is not, and reports that one', () => {
    const run = vsmmu(['topology', '--fleet', `${HOSTS}/small.json`, 'README.md']);
    expect(run.code).toBe(2);
    expect(run.stdout).toMatch(/^small +1 +1 of 1/m);
    expect(run.stderr).toMatch(/^README\.md: error: topology-invalid: /);
    expect(vsmmu(['topology', '--fleet', '/nowhere/host.json', 'README.md']).code).toBe(3);
  });

  it('is one JSON document with --json', () => {
    const { stdout } = vsmmu([
      'topology',
      '--fleet',
      '--json',
      `${HOSTS}/x86.json`,
      `${HOSTS}/small.json`,
      'README.md',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      changed: false,
      diagnostics: [{ code: 'topology-invalid', file: 'README.md' }],
      fleet: [
        { name: 'x86', smmus: 0, devices: 9, placeable: [], obstacles: [{ kind: 'no-smmu', remedy: null }] },
        { name: 'small', smmus: 1, devices: 1, placeable: ['0000:01:00.0'], obstacles: [] },
      ],
    });
  });

  it('names no host with --anonymise', () => {
    const folder = temporaryFolder();
    copyFileSync(`${HOSTS}/gb200.json`, join(folder, 'secret.json'));
    for (const format of [[], ['--json'], ['--html', join(folder, 'page.html')]]) {
      const { code, stdout } = vsmmu(['topology', '--fleet', '--anonymise', ...format, join(folder, 'secret.json')]);
      const text = format[0] === '--html' ? readFileSync(join(folder, 'page.html'), 'utf8') : stdout;
      expect(code).toBe(0);
      expect(text).toContain('host-1');
      expect(text).not.toMatch(/secret|nvgrace|mlx5/);
    }
  });

  it('is a self-contained page with --html, with a picture of each host', () => {
    const page = join(temporaryFolder(), 'fleet.html');
    expect(vsmmu(['topology', '--fleet', '--html', page, ...samples])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
    const html = readFileSync(page, 'utf8');
    expect(html.match(/<details/g)).toHaveLength(samples.length);
    expect(html.match(/<svg/g)).toHaveLength(samples.length);
    expect(html).not.toMatch(/<script|(?:src|href)=/);
    // The second report replaces the first one.
    expect(vsmmu(['topology', '--fleet', '--html', page, `${HOSTS}/small.json`]).code).toBe(0);
    expect(readFileSync(page, 'utf8').match(/<details/g)).toHaveLength(1);
  });

  it('escapes the names of hosts and what snapshots contain, in text and on the page', () => {
    const folder = temporaryFolder();
    const page = join(folder, 'fleet.html');
    const snapshot = join(folder, '<b>\u001b[31m"&.json');
    const text = readFileSync(`${HOSTS}/small.json`, 'utf8').replace('"vfio-pci"', '"<i>vfio"');
    writeFileSync(snapshot, text);
    expect(vsmmu(['topology', '--fleet', snapshot]).stdout).toMatch(/^<b>\\u001b\[31m"& /m);
    vsmmu(['topology', '--fleet', '--html', page, snapshot]);
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('&lt;b&gt;\\u001b[31m&quot;&amp;');
    expect(html).toContain('&lt;i&gt;vfio');
    for (const raw of ['<b>', '<i>', '\u001b']) expect(html).not.toContain(raw);
  });

  it('does not overwrite a snapshot', () => {
    const folder = temporaryFolder();
    const snapshot = join(folder, 'a.json');
    copyFileSync(`${HOSTS}/small.json`, snapshot);
    const run = vsmmu(['topology', '--fleet', '--html', snapshot, `${HOSTS}/small.json`]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('a.json, which is not an HTML page') });
    expect(readFileSync(snapshot)).toEqual(readFileSync(`${HOSTS}/small.json`));
  });

  it.each<[title: string, args: string[], message: RegExp]>([
    ['no snapshot', ['--fleet'], /--fleet needs snapshots of hosts/],
    ['a picture of one host', ['--fleet', '--svg', 'x.svg', 'a.json'], /--fleet and --svg exclude each other/],
    ['a host', ['--fleet', '--topology', 'x', 'a.json'], /--fleet and --topology exclude each other/],
    ['--html without --fleet', ['--html', 'x.html'], /--html requires --fleet/],
  ])('is refused with %s', (_, args, message) => {
    expect(vsmmu(['topology', ...args])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
  });
});

describe('topology --anonymise', () => {
  it('prints a snapshot without the names of drivers', () => {
    const args = ['topology', '--topology', `${HOSTS}/gh200.json`, '--anonymise'];
    const { topology } = JSON.parse(vsmmu([...args, '--json']).stdout);
    expect(new Set(topology.devices.map(({ driver }: { driver: string | null }) => driver))).toEqual(
      new Set(['host-driver', 'vfio-pci', null]),
    );
    expect(vsmmu(args).stdout).not.toContain('nvgrace');
  });
});
