import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu } from './run.js';

const SAMPLE = 'samples/domains/ml-train.xml';

describe('the command line', () => {
  it.each<[title: string, args: string[], message: RegExp]>([
    ['no command', [], /give a command/],
    ['an unknown command, with the nearest one', ['rewrit'], /there is no command rewrit; did you mean rewrite\?/],
    ['an unknown command without a similar one', ['frobnicate'], /there is no command frobnicate; see vsmmu --help/],
    [
      'an unknown option, with the nearest one',
      ['rewrite', '--spare-port', '2'],
      /no option --spare-port; did you mean --spare-ports\?/,
    ],
    ['an option of another command', ['topology', '--diff'], /no option --diff/],
    ['an unknown short option', ['rewrite', '-x'], /no option -x/],
    ['an option without its value', ['rewrite', '--policy'], /policy/],
    ['a switch with a value', ['rewrite', '--diff=yes', SAMPLE], /diff/],
    ['two domains', ['rewrite', 'a.xml', 'b.xml'], /expected one domain, found 2/],
    ['an operand too many', ['topology', 'vm.xml'], /topology takes no operand: vm\.xml/],
    ['--in-place on standard input', ['rewrite', '-i'], /--in-place needs a file/],
    ['--in-place and --output', ['rewrite', '-i', '-o', 'x', 'vm.xml'], /exclude each other/],
    ['--backup without --in-place', ['rewrite', '--backup', '.orig', 'vm.xml'], /--backup requires --in-place/],
    ['--define without --connect', ['rewrite', '--define', 'vm.xml'], /--define requires --connect/],
    ['--yes without --define', ['rewrite', '--connect', 'x:///', '--yes', 'vm'], /--yes requires --define/],
    [
      '--in-place on a domain of libvirt',
      ['rewrite', '--connect', 'x:///', '-i', 'vm'],
      /--in-place works on files only/,
    ],
    [
      '--define and --output',
      ['revert', '--connect', 'x:///', '--define', '-o', 'x', 'vm'],
      /--define and --output exclude each other/,
    ],
    [
      '--connect without a name',
      ['rewrite', '-c', 'x:///'],
      /give the name or the UUID of a domain of x:\/\/\/; see vsmmu rewrite --help/,
    ],
    ['a group without a command', ['hook'], /hook needs a subcommand; give one of install, status, uninstall$/m],
    ['an option of a command', ['batch', 'list', '--diff'], /no option --diff; see vsmmu batch list --help/],
    [
      "another machine's libvirt without its topology",
      ['plan', '--connect', 'qemu+ssh://far/system', 'vm'],
      /are on another machine; .*--topology/,
    ],
    ['--sysfs and --topology', ['rewrite', '--sysfs', '/sys', '--topology', 'x', 'vm.xml'], /exclude each other/],
    ['--quiet and --verbose', ['rewrite', '--quiet', '--verbose', 'vm.xml'], /exclude each other/],
    [
      'a policy value that its key does not allow',
      ['rewrite', '--grouping', 'socket', SAMPLE],
      /--grouping takes smmu, device, not socket/,
    ],
    [
      'an invalid number',
      ['rewrite', '--spare-ports', '1.5', SAMPLE],
      /--spare-ports takes a number from 0 to 32, not 1\.5/,
    ],
    [
      'a number out of range',
      ['rewrite', '--ssidsize', '21', SAMPLE],
      /--ssidsize takes auto or a number from 0 to 20, not 21/,
    ],
    [
      'a --bypass that is not an address',
      ['rewrite', '--bypass', 'gpu', SAMPLE],
      /--bypass takes PCI addresses .*, not gpu/,
    ],
    [
      'a --spare-memory that is not a size',
      ['rewrite', '--spare-memory', 'much', SAMPLE],
      /takes 0 or a size such as 128G, not much/,
    ],
    ['attach without a device', ['attach', SAMPLE], /attach takes a domain and the address of a host device/],
    ['attach with two devices', ['attach', SAMPLE, '0:1:0.0', '0:2:0.0'], /attach takes a domain and the address/],
    ['attach with something else', ['attach', SAMPLE, 'gpu'], /gpu.*PCI address/],
    ['a domain for doctor', ['doctor', 'vm.xml'], /doctor takes no operand: vm\.xml/],
    ['a domain for batch list', ['batch', 'list', 'vm'], /batch list takes no operand: vm/],
    ['two runs to resume', ['batch', 'resume', '1', '2'], /expected one run, found 2/],
    ['no run to remove', ['batch', 'prune'], /give the runs to remove, --keep N or --days N/],
    ['a number that is too large', ['batch', 'prune', '--days', '100001'], /--days takes .*100000/],
    ['completion without a shell', ['completion'], /give a shell: bash, zsh, fish/],
    ['completion for two shells', ['completion', 'bash', 'zsh'], /expected one shell, found 2/],
    ['completion for an unknown shell', ['completion', 'tcsh'], /tcsh; give bash, zsh, fish/],
    ['a conversion without a UUID', ['hook', 'convert'], /hook convert takes one UUID/],
    ['a conversion of two domains', ['hook', 'convert', 'a', 'b'], /hook convert takes one UUID/],
  ])('is refused with one line and exit code 2: %s', (_, args, message) => {
    const run = vsmmu(args);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^vsmmu: error: usage: [^\n]*\n$/);
    expect(run.stderr).toMatch(message);
  });

  it.each(['true', '12', '--help', 'install', '$(id)'])('treats the operand %s as a file', (name) => {
    const run = vsmmu(['rewrite', '--diff', '--', name]);
    expect(run).toMatchObject({
      code: 3,
      stdout: '',
      stderr: `${name}: error: file-unreadable: no such file or directory\n`,
    });
  });

  it('does not use the file after a switch as its value', () => {
    expect(vsmmu(['rewrite', '--diff', 'true']).stderr).toMatch(/^true: error: file-unreadable/);
  });

  it('uses the last of two values of an option', () => {
    const twice = ['--spare-ports', '7', '--spare-ports', '1'];
    const { stdout } = vsmmu([
      'plan',
      '--json',
      '--topology',
      'samples/hosts/gh200.json',
      ...twice,
      'samples/domains/gh200-vm.xml',
    ]);
    expect(JSON.parse(stdout).plan.expanderBuses.map((b: { ports: unknown[] }) => b.ports.length)).toEqual([2, 2, 2]);
  });

  it('accepts several --bypass options, and several addresses in one', () => {
    const bypass = ['--bypass', '0009:01:00.0', '--bypass', '0006:01:00.0,0000:01:00.2'];
    const { stdout } = vsmmu([
      'plan',
      '--json',
      '--topology',
      'samples/hosts/gh200.json',
      ...bypass,
      'samples/domains/gh200-vm.xml',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ changed: false, plan: { expanderBuses: [] } });
  });

  it('uses options rather than the policy file', () => {
    const policy = ['--policy', 'samples/policies/hotplug.json', '--spare-ports', '0'];
    const { stdout } = vsmmu([
      'plan',
      '--json',
      '--topology',
      'samples/hosts/gh200.json',
      ...policy,
      'samples/domains/gh200-vm.xml',
    ]);
    expect(JSON.parse(stdout).plan.expanderBuses.map((b: { ports: unknown[] }) => b.ports.length)).toEqual([1, 1, 1]);
  });

  it.each<[title: string, text: string, message: RegExp]>([
    ['that is not JSON', '{', /policy-invalid: not JSON/],
    [
      'with an unknown key',
      '{"spareports": 1}',
      /policy-invalid: \/: must not have "spareports"; did you mean "sparePorts"\?/,
    ],
    ['with a value of another type', '{"sparePorts": "2"}', /policy-invalid: \/sparePorts: must be integer/],
    ['with an invalid address', '{"bypass": ["0000:31:10.2", "31:10"]}', /policy-invalid: \/bypass\/1: /],
  ])('refuses a policy %s', (_, text, message) => {
    const file = join(temporaryFolder(), 'policy.json');
    writeFileSync(file, text);
    const run = vsmmu(['rewrite', '--policy', file, SAMPLE]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr.startsWith(`${file}:`)).toBe(true);
    expect(run.stderr).toMatch(message);
  });

  it('refuses a snapshot of more than 16 MiB', () => {
    const file = join(temporaryFolder(), 'host.json');
    writeFileSync(file, ' '.repeat(16 * 2 ** 20) + readFileSync(join(REPOSITORY, 'samples/hosts/host-a.json'), 'utf8'));
    expect(vsmmu(['topology', '--topology', file])).toEqual({
      code: 2,
      stdout: '',
      stderr: `${file}: error: file-unreadable: the file has more than 16 MiB\n`,
    });
  });

  it.each(['-', 'file'])('refuses a domain of 16 MiB and one byte: %s', (operand) => {
    const file = join(temporaryFolder(), 'vm.xml');
    const domain = readFileSync(join(REPOSITORY, SAMPLE), 'utf8');
    writeFileSync(file, domain + ' '.repeat(16 * 2 ** 20 + 1 - domain.length));
    const line = '"$0" bin/vsmmu check --topology samples/hosts/host-a.json "$2" <"$1"';
    const words = [process.execPath, file, operand === '-' ? '-' : file];
    const { status, stderr } = spawnSync('sh', ['-c', line, ...words], { cwd: REPOSITORY, encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('the document has more than 16 MiB');
  });

  it('stops reading an endless standard input at the size limit', () => {
    const line = 'yes "<domain>" | "$0" bin/vsmmu check --topology samples/hosts/host-a.json -';
    const options = { cwd: REPOSITORY, encoding: 'utf8', timeout: 60_000 } as const;
    const { status, stderr } = spawnSync('sh', ['-c', line, process.execPath], options);
    expect(status).toBe(2);
    expect(stderr).toContain('the document has more than 16 MiB');
  });

  it('refuses a snapshot that does not conform to its schema, with the JSON path', () => {
    const file = join(temporaryFolder(), 'host.json');
    writeFileSync(
      file,
      JSON.stringify({ version: 1, smmus: [{ name: 'smmu3.0x0', node: '0' }], devices: [], nodes: [] }),
    );
    const run = vsmmu(['rewrite', '--topology', file, SAMPLE]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^[^\n]*topology-invalid: \/smmus\/0\/node: must be[^\n]*\n$/);
  });

  it('prints help for the tool and for each command, with examples', () => {
    expect(vsmmu(['--help'])).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['topology', 'rewrite', 'plan']) {
      const { code, stdout, stderr } = vsmmu([command, '--help']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('Examples:');
      expect(stdout).toContain('--topology');
    }
  });

  it.each(['hook', 'batch'])('prints help for the commands of %s, without internal commands', (group) => {
    const { code, stdout, stderr } = vsmmu([group, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const listed = [...(stdout.split('Examples:')[0] ?? '').matchAll(/^ {2}vsmmu (\S+ \S+)/gm)].map(
      ([, command]) => command,
    );
    expect(listed).toEqual(
      { hook: ['hook install', 'hook status', 'hook uninstall'] }[group] ?? [
        'batch convert',
        'batch list',
        'batch prune',
        'batch resume',
        'batch rollback',
      ],
    );
  });

  it.each([
    [['topology'], ['--json']],
    [['attach'], ['--json']],
    [['batch', 'list'], ['--json']],
    [
      ['batch', 'resume'],
      ['--json', '--quiet', '--verbose'],
    ],
    [['check'], ['--json', '--strict', '--quiet']],
    [['rewrite'], ['--json', '--strict', '--quiet', '--verbose']],
  ])('lists only the common options that have an effect in %j', (command, options) => {
    const { stdout } = vsmmu([...command, '--help']);
    expect(stdout.match(/--(json|strict|quiet|verbose)(?= {2})/g)).toEqual(options);
  });

  it('accepts a common option that has no effect in a command', () => {
    const topology = ['topology', '--topology', 'samples/hosts/small.json'];
    expect(vsmmu([...topology, '--strict', '--quiet'])).toEqual(vsmmu(topology));
  });

  it('explains DOMAIN: a file, or for verify a running domain', () => {
    expect(vsmmu(['plan', '--help']).stdout).toContain('DOMAIN is a file');
    expect(vsmmu(['verify', '--help']).stdout).toMatch(/DOMAIN is the name or the UUID of a running domain/);
    expect(vsmmu(['verify', '--help']).stdout).not.toContain('DOMAIN is a file');
    expect(vsmmu(['topology', '--help']).stdout).not.toContain('DOMAIN');
  });

  it('begins the help of a command with how to call it', () => {
    expect(vsmmu(['plan', '--help']).stdout).toMatch(/^vsmmu plan \[DOMAIN\] \[OPTION…\]\n\n/);
  });

  it.each([
    ['libvirt', '11.0'],
    ['qemu', '10.0'],
  ])('converts for the given version of %s, with current upstream for the rest', (option, version) => {
    const args = ['rewrite', '--topology', 'samples/hosts/host-a.json', `--${option}`, version];
    const { code, stderr } = vsmmu([...args, 'samples/domains/ml-train.xml']);
    expect(stderr).toMatch(
      new RegExp(`error: target-without-acceleration: ${option} ${version} does not support`, 'i'),
    );
    expect(code).toBe(1);
  });

  it('lists no internal command', () => {
    expect(vsmmu(['--help']).stdout).not.toMatch(/hook run|hook convert|on-define-domain|vsmmu complete /);
  });

  it.each([
    [['help'], ['--help']],
    [
      ['help', 'batch', 'list'],
      ['batch', 'list', '--help'],
    ],
    [
      ['help', 'hook'],
      ['hook', '--help'],
    ],
    [['version'], ['--version']],
  ])('treats %j as %j', (words, options) => {
    expect(vsmmu(words)).toEqual(vsmmu(options));
  });

  it('accepts device addresses in the form of libvirt', () => {
    const as = (bypass: string) =>
      vsmmu([
        'plan',
        '--json',
        '--topology',
        'samples/hosts/gh200.json',
        '--bypass',
        bypass,
        'samples/domains/gh200-vm.xml',
      ]).stdout;
    expect(as('pci_0009_01_00_0')).toBe(as('0009:01:00.0'));
    const file = join(temporaryFolder(), 'policy.json');
    writeFileSync(file, '{"bypass": ["pci_0009_01_00_0"]}');
    expect(
      vsmmu([
        'plan',
        '--json',
        '--topology',
        'samples/hosts/gh200.json',
        '--policy',
        file,
        'samples/domains/gh200-vm.xml',
      ]).stdout,
    ).toBe(as('0009:01:00.0'));
  });

  it('prints the version', () => {
    expect(vsmmu(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('accepts a snapshot that it printed itself', () => {
    const file = join(temporaryFolder(), 'host.json');
    writeFileSync(file, vsmmu(['topology', '--json', '--topology', 'samples/hosts/host-a.json']).stdout);
    const again = vsmmu(['rewrite', '--topology', file, SAMPLE]).stdout;
    expect(again).toBe(vsmmu(['rewrite', '--topology', 'samples/hosts/host-a.json', SAMPLE]).stdout);
  });
});
