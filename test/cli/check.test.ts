import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

const HOST = ['--topology', 'samples/hosts/host-a.json'];
const sample = (name: string, kind = 'broken') => `samples/${kind}/${name}.xml`;
const text = (file: string) => readFileSync(join(REPOSITORY, file), 'utf8');

/** Copies a sample to a temporary folder. */
function copyOf(name: string): string {
  const file = join(temporaryFolder(), 'vm.xml');
  writeFileSync(file, text(sample(name)));
  return file;
}

describe('vsmmu check', () => {
  it('prints nothing about a valid domain', () => {
    expect(vsmmu(['check', ...HOST, sample('device-without-iommufd', 'mended')])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('prints one line per error, as compilers do, and exits with 1', () => {
    const { code, stdout, stderr } = vsmmu(['check', ...HOST, sample('device-without-iommufd')]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      "samples/broken/device-without-iommufd.xml:53:5: error: device-without-iommufd: 0000:12:00.0 is behind the vSMMU of PCI controller 5 and does not use iommufd; give it <driver iommufd='yes'/>\n",
    );
  });

  it('exits with 0 for warnings, and with 1 if --strict turns them into errors', () => {
    const args = ['check', ...HOST, sample('spare-port-unguarded')];
    expect(vsmmu(args).code).toBe(0);
    expect(vsmmu([...args, '--strict']).code).toBe(1);
  });

  it('checks every file, and returns the highest exit code', () => {
    const names = [sample('device-missing'), 'no-such.xml', 'README.md', sample('device-missing', 'mended')];
    const { code, stderr } = vsmmu(['check', ...HOST, ...names]);
    expect(code).toBe(3);
    expect(stderr.split('\n').map((line) => line.replace(/(:\d+)*: error: ([a-z-]+).*/, ' $2'))).toEqual([
      'samples/broken/device-missing.xml device-missing',
      'no-such.xml file-unreadable',
      'README.md xml-syntax',
      '',
    ]);
    expect(vsmmu(['check', ...HOST, 'README.md', sample('device-missing')]).code).toBe(2);
  });

  it('reads standard input', () => {
    const { code, stderr } = vsmmu(['check', ...HOST], text(sample('chassis-duplicate')));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^<stdin>:\d+:\d+: error: chassis-duplicate/);
  });

  it('needs no host with --no-host, and reports only errors that the XML shows', () => {
    expect(vsmmu(['check', '--no-host', sample('chassis-duplicate')]).code).toBe(1);
    expect(vsmmu(['check', '--no-host', sample('device-missing')]).code).toBe(0);
  });

  it('prints its diagnostics as JSON', () => {
    const { stdout } = vsmmu(['check', '--json', '--quiet', ...HOST, sample('slot-invalid')]);
    expect(JSON.parse(stdout)).toMatchObject({
      changed: false,
      diagnostics: [{ file: 'samples/broken/slot-invalid.xml', code: 'slot-invalid', severity: 'error' }],
    });
  });

  it.each([
    ['--no-host', '--topology', 'samples/hosts/host-a.json'],
    ['--no-host', '--sysfs', '/sys'],
    ['--no-host', '--fix'],
    ['--diff'],
    ['--backup', '.orig'],
    ['--connect', 'test:///default', '--fix'],
    ['--fix', '--spare-ports', 'many'],
  ])('refuses %s %s', (...options) => {
    const { code, stderr } = vsmmu(['check', ...options, sample('slot-invalid')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^vsmmu: error: usage: /);
  });
});

describe('vsmmu check --fix', () => {
  it('rewrites a file with an error, and keeps the old file with --backup', () => {
    const file = copyOf('device-without-iommufd');
    expect(vsmmu(['check', '--fix', '--backup', '.orig', ...HOST, file])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(file, 'utf8').match(/iommufd='yes'/g)).toHaveLength(2);
    expect(readFileSync(`${file}.orig`, 'utf8')).toBe(text(sample('device-without-iommufd')));
    expect(vsmmu(['check', ...HOST, file]).code).toBe(0);
  });

  it.each([
    ['does not correct', 'chassis-duplicate'],
    ['cannot even read', 'controller-index-duplicate'],
  ])('leaves a file unchanged that a rewrite %s, and reports the error', (_, name) => {
    const file = copyOf(name);
    const { code, stderr } = vsmmu(['check', '--fix', ...HOST, file]);
    expect(code).toBe(1);
    expect(stderr.match(/: error: /g)).toHaveLength(1);
    expect(readFileSync(file, 'utf8')).toBe(text(sample(name)));
  });

  it('does not convert a domain whose errors a conversion would not correct', () => {
    const before = text('samples/domains/ml-train.xml');
    const { code, stdout, stderr } = vsmmu(['check', '--fix', ...HOST, '-'], before);
    expect({ code, stdout }).toEqual({ code: 1, stdout: before });
    expect(stderr).toMatch(/^<stdin>:\d+:\d+: error: device-without-group/);
  });

  it('prints the corrected domain if it came from standard input', () => {
    const { code, stdout } = vsmmu(['check', '--fix', ...HOST], text(sample('device-without-iommufd')));
    expect(code).toBe(0);
    expect(vsmmu(['check', ...HOST], stdout).stderr).toBe('');
  });

  it('prints the changed domains and their changes as JSON', () => {
    const [good, bad] = [sample('device-without-iommufd', 'mended'), copyOf('device-without-iommufd')];
    const { stdout } = vsmmu(['check', '--fix', '--json', ...HOST, good, bad]);
    const { changed, domains } = JSON.parse(stdout);
    expect(changed).toBe(true);
    expect(domains).toEqual([
      { file: good, changed: false },
      { file: bad, changed: true, xml: readFileSync(bad, 'utf8') },
    ]);
  });

  it('prints the changes with --diff, and writes nothing', () => {
    const file = copyOf('device-without-iommufd');
    const { stdout } = vsmmu(['check', '--fix', '--diff', ...HOST, file]);
    expect(stdout).toContain("\n+      <driver iommufd='yes'/>\n");
    expect(readFileSync(file, 'utf8')).toBe(text(sample('device-without-iommufd')));
  });
});

describe('vsmmu rewrite', () => {
  it('converts a domain that has an error already, and warns about it', () => {
    const broken = text('samples/domains/ml-train.xml').replace("chassis='4'", "chassis='3'");
    const { code, stdout, stderr } = vsmmu(['rewrite', ...HOST], broken);
    expect(code).toBe(0);
    expect(stdout).toContain("<iommu model='smmuv3'>");
    expect(stderr).toMatch(/^<stdin>:\d+:\d+: warning: chassis-duplicate: the ports 3 and 4 have the same chassis, 3/m);
  });
});
