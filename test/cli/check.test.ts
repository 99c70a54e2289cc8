import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

const HOST = ['--topology', 'samples/hosts/host-a.json'];
const sample = (name: string, kind = 'broken') => `samples/${kind}/${name}.xml`;
const text = (file: string) => readFileSync(join(REPOSITORY, file), 'utf8');

/** A copy of a sample that may be changed. */
function copyOf(name: string): string {
  const file = join(temporaryFolder(), 'vm.xml');
  writeFileSync(file, text(sample(name)));
  return file;
}

describe('vsmmu check', () => {
  it('says nothing of a domain that is in order', () => {
    expect(vsmmu(['check', ...HOST, sample('device-without-iommufd', 'mended')])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('says a line a finding, as compilers do, and exits with 1', () => {
    const { code, stdout, stderr } = vsmmu(['check', ...HOST, sample('device-without-iommufd')]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      "samples/broken/device-without-iommufd.xml:53:5: error: device-without-iommufd: 0000:12:00.0 is behind the vSMMU of PCI controller 5 and does not use iommufd; give it <driver iommufd='yes'/>\n",
    );
  });

  it('exits with 0 for warnings, and with 1 where they count as errors', () => {
    const args = ['check', ...HOST, sample('spare-port-unguarded')];
    expect(vsmmu(args).code).toBe(0);
    expect(vsmmu([...args, '--strict']).code).toBe(1);
  });

  it('looks at every file, and gives the highest exit code', () => {
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

  it('takes standard input', () => {
    const { code, stderr } = vsmmu(['check', ...HOST], text(sample('chassis-duplicate')));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^<stdin>:\d+:\d+: error: chassis-duplicate/);
  });

  it('needs no host for what the XML tells, and says only that', () => {
    expect(vsmmu(['check', '--no-host', sample('chassis-duplicate')]).code).toBe(1);
    expect(vsmmu(['check', '--no-host', sample('device-missing')]).code).toBe(0);
  });

  it('prints what it found as JSON', () => {
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
  it('rewrites the file in which something is wrong, and keeps the old one where that is asked', () => {
    const file = copyOf('device-without-iommufd');
    expect(vsmmu(['check', '--fix', '--backup', '.orig', ...HOST, file])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(file, 'utf8').match(/iommufd='yes'/g)).toHaveLength(2);
    expect(readFileSync(`${file}.orig`, 'utf8')).toBe(text(sample('device-without-iommufd')));
    expect(vsmmu(['check', ...HOST, file]).code).toBe(0);
  });

  it.each([
    ['does not mend', 'chassis-duplicate'],
    ['cannot even read', 'controller-index-duplicate'],
  ])('leaves a file as it is that a rewrite %s, and tells what is wrong', (_, name) => {
    const file = copyOf(name);
    const { code, stderr } = vsmmu(['check', '--fix', ...HOST, file]);
    expect(code).toBe(1);
    expect(stderr.match(/: error: /g)).toHaveLength(1);
    expect(readFileSync(file, 'utf8')).toBe(text(sample(name)));
  });

  it('does not convert a domain for the sake of what that leaves as it is', () => {
    const before = text('samples/domains/ml-train.xml');
    const { code, stdout, stderr } = vsmmu(['check', '--fix', ...HOST, '-'], before);
    expect({ code, stdout }).toEqual({ code: 1, stdout: before });
    expect(stderr).toMatch(/^<stdin>:\d+:\d+: error: device-without-group/);
  });

  it('prints what came on standard input, mended', () => {
    const { code, stdout } = vsmmu(['check', '--fix', ...HOST], text(sample('device-without-iommufd')));
    expect(code).toBe(0);
    expect(vsmmu(['check', ...HOST], stdout).stderr).toBe('');
  });

  it('says in JSON which domains changed, and how', () => {
    const [good, bad] = [sample('device-without-iommufd', 'mended'), copyOf('device-without-iommufd')];
    const { stdout } = vsmmu(['check', '--fix', '--json', ...HOST, good, bad]);
    const { changed, domains } = JSON.parse(stdout);
    expect(changed).toBe(true);
    expect(domains).toEqual([
      { file: good, changed: false },
      { file: bad, changed: true, xml: readFileSync(bad, 'utf8') },
    ]);
  });

  it('shows with --diff what would change, and writes nothing', () => {
    const file = copyOf('device-without-iommufd');
    const { stdout } = vsmmu(['check', '--fix', '--diff', ...HOST, file]);
    expect(stdout).toContain("\n+      <driver iommufd='yes'/>\n");
    expect(readFileSync(file, 'utf8')).toBe(text(sample('device-without-iommufd')));
  });
});

describe('vsmmu rewrite', () => {
  it('converts a domain in which a check finds an error already, and warns of it', () => {
    const broken = text('samples/domains/ml-train.xml').replace("chassis='4'", "chassis='3'");
    const { code, stdout, stderr } = vsmmu(['rewrite', ...HOST], broken);
    expect(code).toBe(0);
    expect(stdout).toContain("<iommu model='smmuv3'>");
    expect(stderr).toMatch(/^<stdin>:\d+:\d+: warning: chassis-duplicate: the ports 3 and 4 have one chassis, 3/m);
  });
});
