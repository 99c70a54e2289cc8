import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { broken, call, converted, install, PREPARE, sample, sysfs, TARGET } from './hook-place.js';
import { REPOSITORY, type Run, temporaryFolder, vsmmu } from './run.js';

describe('the script of the hook', () => {
  it.each([
    ['start', 'begin'],
    ['started', 'begin'],
    ['stopped', 'end'],
    ['reconnect', 'begin'],
    ['attach', 'begin'],
    ['migrate', 'begin'],
    ['restore', 'begin'],
    ['prepare', 'end'],
    ['release', 'begin'],
    ['', ''],
    ['$(exit 1)', 'begin'],
  ])('prints nothing for %s %s, exits with 0, and starts no program', (operation, sub) => {
    const { script } = install({ hook: 'enforce', convertOnStop: true });
    // Without a PATH, the script finds only Node and vsmmu, by their absolute paths, which do not exist here.
    const gone = readFileSync(script, 'utf8').replace(/^(node|vsmmu)=.*/gm, "$1='/nowhere'");
    writeFileSync(script, gone);
    const { status, stdout, stderr } = spawnSync(script, ['vm', operation, sub, '-'], {
      input: broken,
      env: { PATH: '/nowhere' },
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('allows a domain without host devices and SMMUs, and does not start Node for it', () => {
    const { script } = install({ hook: 'enforce' });
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^node=.*/m, "node='/nowhere'"));
    expect(call(script, PREPARE, '<domain><name>vm</name></domain>').code).toBe(0);
    expect(call(script, PREPARE, sample).code).toBe(1);
  });

  it('refuses a broken domain with enforce, in one line, and allows it with warn', () => {
    const refused = call(install({ hook: 'enforce' }).script, PREPARE, broken);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^vsmmu: "vm": device-without-iommufd: [^\n]*\n$/);
    const warning = install({});
    const passed = call(warning.script, PREPARE, broken);
    expect(passed).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(warning.log, 'utf8')).toMatch(/^\S+Z vsmmu: "vm": device-without-iommufd: /);
    expect(statSync(warning.log).mode & 0o777).toBe(0o600);
  });

  it('refuses an unconverted domain with enforce, and prints the command to run, with the UUID', () => {
    const { script } = install({ hook: 'enforce' });
    const refused = call(script, PREPARE, sample);
    const uuid = /<uuid>(.*)<\/uuid>/.exec(sample)?.[1];
    expect(refused).toMatchObject({
      code: 1,
      stderr: `vsmmu: "vm": 0000:31:10.2 and 1 more devices are not behind the right vSMMU for this host; run: vsmmu rewrite --connect qemu:///system --define ${uuid}\n`,
    });
  });

  it('allows a domain that cannot be converted, and logs the reason', () => {
    const { script, log } = install({ hook: 'enforce' });
    expect(call(script, PREPARE, sample.replace('<acpi/>', '')).code).toBe(0);
    expect(readFileSync(log, 'utf8')).toContain('domain-without-acpi');
  });

  it('allows a converted domain without output', () => {
    const { script, log } = install({ hook: 'enforce' });
    expect(call(script, PREPARE, converted)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(log)).toBe(false);
  });

  it.each(['$(touch oops)', '--help', '-', '12', 'install', 'two\nlines', "it's", ''])(
    'treats %j as the name of a domain and nothing else',
    (name) => {
      const { script } = install({ hook: 'enforce' });
      const { code, stderr } = call(script, [name, 'prepare', 'begin', '-'], broken);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^vsmmu: [^\n]*: device-without-iommufd: [^\n]*\n$/);
      expect(stderr).toContain(JSON.stringify(name));
    },
  );
  it('writes the output of a conversion at a stop to its log, and not to its own outputs', async () => {
    const { script, log } = install({ convertOnStop: true });
    const programs = temporaryFolder();
    writeFileSync(join(programs, 'virsh'), '#!/bin/sh\necho "error: failed to connect" >&2\nexit 1\n', { mode: 0o755 });
    // On a host with systemd, the script starts the conversion with systemd-run. This one runs it directly.
    const apart = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n';
    writeFileSync(join(programs, 'systemd-run'), apart, { mode: 0o755 });
    const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
    const run = spawnSync(script, ['vm', 'release', 'end', '-'], { input: sample, env, encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' });
    await expect.poll(() => readFileSync(log, 'utf8'), { timeout: 30_000 }).toContain('libvirt-unreachable');
    expect(statSync(log).mode & 0o777).toBe(0o600);
  });

  it('converts nothing at a stop without convertOnStop', () => {
    const { script, log } = install({ convertOnStop: false });
    const run = call(script, ['vm', 'release', 'end', '-'], sample);
    expect(run).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(log)).toBe(false);
  });

  it('does not write its log through a link', () => {
    const installed = install({});
    const target = join(installed.folder, 'target');
    symlinkSync(target, installed.log);
    expect(call(installed.script, PREPARE, broken).code).toBe(0);
    expect(existsSync(target)).toBe(false);
  });
});

describe('hook run', () => {
  it.each([[[]], [['vm']], [['vm', 'prepare', 'begin']], [['vm', 'prepare', 'begin', '-', 'more']]])(
    'with the arguments %j is refused with one line and exit code 2',
    (args) => {
      const run = vsmmu(['hook', 'run', '--', ...args]);
      expect(run).toMatchObject({ code: 2, stdout: '' });
      expect(run.stderr).toMatch(/^vsmmu: error: usage: hook run takes GUEST OPERATION SUB-OPERATION EXTRA/);
    },
  );

  it('exits with 0 for operations that it does not handle', () => {
    expect(vsmmu(['hook', 'run', '--', 'vm', 'reconnect', 'begin', '-'], 'nonsense')).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('stops waiting for a domain that does not arrive', () => {
    const line = `sleep 2 | ${process.execPath} bin/vsmmu hook run --limit 1 -- vm prepare begin -; exit $?`;
    const { status, stderr } = spawnSync('sh', ['-c', line], { cwd: REPOSITORY, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stderr).toBe('vsmmu: "vm" could not be checked: it took longer than 1 s\n');
  });

  it('stops reading an endless domain at the size limit', () => {
    const line = `(echo '<domain><hostdev/>'; yes) | ${process.execPath} bin/vsmmu hook run --limit 30 -- vm prepare begin -`;
    const { stderr } = spawnSync('sh', ['-c', line], { cwd: REPOSITORY, encoding: 'utf8' });
    expect(stderr).toContain('the document has more than 16 MiB');
  });
});

const vsmmuStatus = (folder: string): Run => vsmmu(['hook', 'status', '--dir', folder]);

describe('hook install', () => {
  it('changes nothing the second time, shows its state, and is uninstalled without a trace', () => {
    const { folder, script, policy, log } = install({ convertOnStop: true });
    const { mtimeMs } = statSync(script);
    const again = ['--dir', folder, '--policy', policy, '--log', log, '--sysfs', sysfs, '--state', folder, ...TARGET];
    expect(vsmmu(['hook', 'install', ...again]).stderr).toMatch(/already up to date/);
    expect(statSync(script).mtimeMs).toBe(mtimeMs);
    const status = vsmmu(['hook', 'status', '--dir', folder]);
    expect(status.code).toBe(0);
    expect(status.stdout).toContain(`script      ${script}\n`);
    expect(status.stdout).toContain('at a stop   converts the domain, if needed\n');
    const { stdout } = vsmmu(['hook', 'status', '--json', '--dir', folder]);
    expect(JSON.parse(stdout)).toMatchObject({ installed: true, file: script, mode: 'warn', convertOnStop: true, log });
    expect(vsmmu(['hook', 'uninstall', '--dir', folder]).code).toBe(0);
    expect(readdirSync(folder)).toEqual(['policy.json']);
    expect(vsmmu(['hook', 'status', '--dir', folder])).toMatchObject({ code: 1, stdout: 'not installed\n' });
    expect(vsmmu(['hook', 'uninstall', '--dir', folder]).code).toBe(0);
  });

  it('shows the installed mode rather than that of the policy', () => {
    const { folder } = install({ hook: 'warn' }, ['--hook', 'enforce', '--convert-on-stop']);
    const { stdout } = vsmmu(['hook', 'status', '--json', '--dir', folder]);
    expect(JSON.parse(stdout)).toMatchObject({ mode: 'enforce', convertOnStop: true });
  });

  it('reports what prevents it from running', () => {
    const { folder, script } = install();
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^node=.*/m, "node='/no/where'"));
    expect(vsmmu(['hook', 'status', '--dir', folder])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('BROKEN      /no/where is missing or not accessible\n'),
    });
  });

  it('checks domains for the libvirt that it was installed for', () => {
    const { script, log } = install({ hook: 'enforce' }, ['--libvirt', '11.3.0']);
    expect(call(script, PREPARE, sample).code).toBe(0);
    expect(readFileSync(log, 'utf8')).toContain('target-without-acceleration');
  });

  it('reports that the program does not run, whatever the cause', () => {
    const { folder, script } = install();
    const bin = join(folder, 'bin');
    const vsmmu = join(bin, 'vsmmu');
    mkdirSync(bin);
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^vsmmu=.*/m, `vsmmu='${vsmmu}'`));
    for (const [program, why] of [
      ['', 'it exits with code 0 and no answer'],
      ["process.kill(process.pid, 'SIGSEGV');", 'it was ended by SIGSEGV'],
      ["console.error('vsmmu needs Node.js');\nprocess.exitCode = 2;", 'vsmmu needs Node.js'],
    ] as const) {
      writeFileSync(vsmmu, program);
      expect(vsmmuStatus(folder)).toMatchObject({
        code: 1,
        stdout: expect.stringContaining(`BROKEN      ${vsmmu} does not run: ${why}\n`),
      });
    }
  });

  it('reports that the script does not run, whatever the cause', () => {
    const { folder, script } = install();
    const text = readFileSync(script, 'utf8');
    for (const [changed, why] of [
      [text.replace("'prepare begin' |", "'prepare begin') |"), /Syntax error/],
      [text.replace('check hook run', 'check hook'), /./],
      [text.replace(/^answer=.*$/m, 'exit 3'), /it exits with code 0 and no answer/],
      [text.replace('#!/bin/sh', '#!/nowhere/sh'), /ENOENT/],
    ] as const) {
      writeFileSync(script, changed);
      const { code, stdout } = vsmmuStatus(folder);
      expect(code).toBe(1);
      const [, line = ''] = /^BROKEN {6}(.*)$/m.exec(stdout) ?? [];
      expect(line).toContain(`${script} does not run: `);
      expect(line).toMatch(why);
    }
    writeFileSync(script, text);
    expect(vsmmuStatus(folder)).toMatchObject({ code: 0, stdout: expect.not.stringContaining('BROKEN') });
  });

  it('warns if another user can change a file that libvirt would run as root', () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o777);
    const { code, stderr } = vsmmu(['hook', 'install', '--dir', folder]);
    expect(code).toBe(0);
    expect(stderr).toContain(
      `warning: hook-exposed: libvirt runs the hook as root, and users other than root may change ${folder};`,
    );
    const { stdout } = vsmmu(['hook', 'status', '--json', '--dir', folder]);
    expect(JSON.parse(stdout).diagnostics).toMatchObject([{ code: 'hook-exposed' }]);
  });

  it('warns if another user can change or create the policy', () => {
    const folder = temporaryFolder();
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    writeFileSync(join(folder, 'open.json'), '{}');
    chmodSync(join(folder, 'open.json'), 0o666);
    for (const [policy, part] of [
      [join(folder, 'open.json'), join(folder, 'open.json')],
      [join(open, 'none.json'), open],
    ] as const) {
      const script = install().script;
      writeFileSync(script, readFileSync(script, 'utf8').replace(/^policy=.*/m, `policy='${policy}'`));
      expect(vsmmu(['hook', 'status', '--dir', join(script, '../..')]).stderr).toContain(`may change ${part};`);
    }
  });

  it.each([
    'bin/vsmmu',
    'bin/package.json',
    'dist/hook.cjs',
    'dist/vsmmu.cjs',
    'dist/batch-worker.cjs',
    'package.json',
  ])('warns if another user can change %s', (file) => {
    const { folder, script } = install();
    const copy = temporaryFolder();
    for (const part of ['bin', 'dist', 'package.json'])
      cpSync(join(REPOSITORY, part), join(copy, part), { recursive: true });
    chownSync(join(copy, file), 1, 0);
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^vsmmu=.*/m, `vsmmu='${copy}/bin/vsmmu'`));
    expect(vsmmuStatus(folder).stderr).toContain(`users other than root may change ${join(copy, file)};`);
  });

  it('reports that the policy has another mode than the installed one', () => {
    const { folder, policy } = install({ hook: 'warn' });
    expect(vsmmuStatus(folder).stderr).not.toContain('hook-differs');
    writeFileSync(policy, '{"hook": "enforce"}');
    const { stdout, stderr } = vsmmuStatus(folder);
    expect(stdout).toContain('at a start  warns');
    expect(stderr).toContain(
      `warning: hook-differs: ${policy} says "hook": "enforce", and the hook is installed with warn; run vsmmu hook install again`,
    );
  });

  it('never overwrites or removes a hook that vsmmu did not write', () => {
    const { folder, script } = install();
    const theirs = '#!/bin/sh\nexit 0\n';
    writeFileSync(script, theirs);
    const run = vsmmu(['hook', 'install', '--dir', folder]);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(`${script}: error: hook-foreign: `);
    vsmmu(['hook', 'uninstall', '--dir', folder]);
    expect(readFileSync(script, 'utf8')).toBe(theirs);
  });

  it('quotes paths with quotes and spaces', () => {
    const folder = temporaryFolder();
    const log = join(folder, "it's a $(log)");
    vsmmu(['hook', 'install', '--dir', folder, '--log', log, '--sysfs', sysfs]);
    expect(call(join(folder, 'qemu.d/vsmmu'), PREPARE, broken).code).toBe(0);
    expect(readFileSync(log, 'utf8')).toContain('device-without-iommufd');
  });

  it.each([
    [['--limit', '0'], /--limit takes 1 to 99/],
    [['--limit', 'x; reboot'], /--limit takes 1 to 99/],
    [['--hook', 'maybe'], /--hook takes warn, enforce, not maybe/],
    [['now'], /takes no operand: now/],
  ])('with %j is refused with one line and exit code 2', (args, message) => {
    const run = vsmmu(['hook', 'install', '--dir', temporaryFolder(), ...args]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(message);
  });
});
