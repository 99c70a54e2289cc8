/** The answers of libvirt's hook if the check cannot complete, or if an installed file was changed. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { broken, call, converted, install, KILLED, PREPARE, sysfs, TARGET } from './hook-place.js';
import { temporaryFolder, vsmmu } from './run.js';

describe('the script of the hook, if the check cannot complete,', () => {
  it.each<[what: string, input: string | Uint8Array]>([
    ['cut off', broken.slice(0, 6000)],
    ['not XML', 'hostdev'],
    ['not text', Buffer.concat([Buffer.from('hostdev'), Buffer.from([0xff, 0xfe])])],
    ['not a domain', '<network><hostdev/></network>'],
    ['larger than 16 MiB', `<domain><hostdev/>${' '.repeat(16 * 1024 * 1024)}</domain>`],
  ])('starts a domain that is %s with warn, and not with enforce', (_, input) => {
    expect(call(install({}).script, PREPARE, input)).toMatchObject({ code: 0, stdout: '' });
    const { code, stderr } = call(install({ hook: 'enforce' }).script, PREPARE, input);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^vsmmu: "vm" could not be checked: [^\n]*\n$/);
  });

  it.each([
    ['Node is missing (127)', /^node=.*/m, "node='/nowhere'"],
    ['Node is not executable (126)', /^node=.*/m, "node='/etc/passwd'"],
    ['a signal ends Node', /^node=.*/m, `node='${KILLED}'`],
    ['vsmmu is missing', /^vsmmu=.*/m, "vsmmu='/nowhere'"],
  ])('lets the domain start unless the policy has enforce: %s', (_, line, instead) => {
    writeFileSync(KILLED, '#!/bin/sh\nkill -SEGV $$\n', { mode: 0o755 });
    for (const [hook, code] of [
      ['warn', 0],
      ['enforce', 1],
    ] as const) {
      const { script } = install({ hook });
      writeFileSync(script, readFileSync(script, 'utf8').replace(line, instead));
      expect(call(script, PREPARE, broken)).toMatchObject({ code, stdout: '' });
    }
    rmSync(KILLED);
  });

  it.each([
    ['an empty file', ''],
    ['a truncated program', "console.log('allow"],
    ['a program that exits with 0', 'process.exit(0)'],
    ['a program that ends too early', 'setImmediate(() => {})'],
    ['a program that prints something else', "console.log('allowed to be seen')"],
  ])('does not treat %s as a permission', (_, program) => {
    for (const [hook, code] of [
      ['warn', 0],
      ['enforce', 1],
    ] as const) {
      const { script, folder } = install({ hook });
      const file = join(folder, 'program.cjs');
      writeFileSync(file, program);
      writeFileSync(script, readFileSync(script, 'utf8').replace(/^vsmmu=.*/m, `vsmmu='${file}'`));
      const run = call(script, PREPARE, converted);
      expect(run).toMatchObject({ code, stdout: '' });
      if (hook === 'enforce') expect(run.stderr).toMatch(/so its start is refused \(hook mode enforce\)\n$/);
    }
  });

  it.each([
    ['that is empty', '</dev/null'],
    ['that is closed', '<&-'],
    ['that cannot be read', '</'],
    ['that is cut off before its devices', '<"$2"'],
  ])('starts a domain with warn, and not with enforce, from a standard input %s', (_, redirection) => {
    const beginning = join(temporaryFolder(), 'beginning.xml');
    writeFileSync(beginning, converted.slice(0, 100));
    for (const [hook, code] of [
      ['warn', 0],
      ['enforce', 1],
    ] as const) {
      const line = `exec "$1" vm prepare begin - ${redirection}`;
      const { status, stderr } = spawnSync('sh', ['-c', line, 'sh', install({ hook }).script, beginning], {
        encoding: 'utf8',
      });
      expect(status).toBe(code);
      if (hook === 'enforce') expect(stderr).toContain('could not be checked');
    }
  });

  it.each([
    ['warn', 0],
    ['enforce', 1],
  ])('with %s, exits with %i if no process can be started', (hook, code) => {
    const { script } = install({ hook });
    const folder = temporaryFolder();
    chmodSync(folder, 0o755);
    const copy = join(folder, 'vsmmu');
    writeFileSync(copy, readFileSync(script), { mode: 0o755 });
    // Limits on processes do not apply to root.
    const options = { uid: 65533, gid: 65533, input: broken, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync('prlimit', ['--nproc=0', copy, ...PREPARE], options);
    expect(stderr).toMatch(/fork/i);
    expect(status).toBe(code);
  });

  it.each([
    ['warn', 0],
    ['enforce', 1],
  ])('with %s, exits with %i if there is no memory for the domain', (hook, code) => {
    const { script } = install({ hook });
    const input = broken.replace('<devices>', `<!--${'x'.repeat(15_000_000)}--><devices>`);
    for (const megabytes of [10, 20, 40]) {
      const args = [`--as=${megabytes * 1024 * 1024}`, script, ...PREPARE];
      expect(spawnSync('prlimit', args, { input, encoding: 'utf8' })).toMatchObject({ status: code });
    }
  });

  it.each([
    ['warn', 0],
    ['enforce', 1],
  ])('with %s, exits with %i on SIGTERM', (hook, code) => {
    const { script } = install({ hook });
    const node = join(temporaryFolder(), 'node');
    writeFileSync(node, '#!/bin/sh\nkill -TERM "$TERMINATED"\n', { mode: 0o755 });
    const text = readFileSync(script, 'utf8').replace(/^node=.*/m, `node='${node}'`);
    writeFileSync(script, text.replace('env -i', 'env -i TERMINATED="$$"'));
    expect(call(script, PREPARE, broken)).toMatchObject({ code, stdout: '' });
  });

  it('stops waiting for a domain that does not arrive, with warn and with enforce', () => {
    for (const [hook, code] of [
      ['warn', 0],
      ['enforce', 1],
    ] as const) {
      const { script } = install({ hook }, ['--limit', '1']);
      const fifo = join(temporaryFolder(), 'fifo');
      spawnSync('mkfifo', [fifo]);
      // The third descriptor keeps the pipe open.
      const line = `exec 3<> "$2"; printf '<domain>' >&3; "$1" vm prepare begin - < "$2"; echo "$?"`;
      const { stdout } = spawnSync('sh', ['-c', line, 'sh', script, fifo], { encoding: 'utf8' });
      expect(stdout).toBe(`${code}\n`);
    }
  });

  it.each([
    'NODE_OPTIONS=--require=/nowhere',
    'NODE_REPL_EXTERNAL_MODULE=/nowhere',
    'NODE_EXTRA_CA_CERTS=/nowhere',
    'BUN_OPTIONS=--nowhere',
  ])('runs its program without %s', (variable) => {
    const { script } = install({ hook: 'enforce' });
    const { status, stderr } = spawnSync('env', [variable, script, ...PREPARE], { input: converted, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('ends a check that takes too long, and starts the domain with warn', () => {
    const { script } = install({}, ['--limit', '1']);
    const slow = join(temporaryFolder(), 'node');
    writeFileSync(slow, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^node=.*/m, `node='${slow}'`));
    expect(call(script, PREPARE, broken)).toMatchObject({ code: 0, stdout: '' });
  });

  it('refuses with enforce if the policy cannot be read, and not with warn', () => {
    for (const [hook, code] of [
      ['enforce', 1],
      ['warn', 0],
    ] as const) {
      const installed = install({ hook });
      writeFileSync(installed.policy, '{"sparePorts": ');
      expect(call(installed.script, PREPARE, converted)).toMatchObject({ code });
    }
  });

  it.each([
    [{ hook: 'warn' }, ['--hook', 'enforce'], 1],
    [{ hook: 'enforce' }, ['--hook', 'warn'], 0],
  ])('is installed with the mode of the option rather than that of the policy: %j and %j', (policy, options, code) => {
    const { script } = install(policy, options);
    expect(call(script, PREPARE, broken)).toMatchObject({ code });
    writeFileSync(script, readFileSync(script, 'utf8').replace(/^node=.*/m, "node='/nowhere'"));
    expect(call(script, PREPARE, broken)).toMatchObject({ code });
  });

  it.each([
    ['an escape in the value', '{"hook": "\\u0065nforce"}'],
    ['line ends of Windows', '{\r\n  "hook":\r\n  "enforce"\r\n}\r\n'],
  ])('is installed in mode enforce from a policy with %s', (_, text) => {
    const folder = temporaryFolder();
    const policy = join(folder, 'policy.json');
    writeFileSync(policy, text);
    vsmmu(['hook', 'install', '--dir', folder, '--policy', policy, '--log', '', '--sysfs', sysfs, ...TARGET]);
    expect(call(join(folder, 'qemu.d/vsmmu'), PREPARE, broken).code).toBe(1);
  });
});
