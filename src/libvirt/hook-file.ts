import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants, lstatSync, mkdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DiagnosedError, EnvironmentError, RefusedError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import { hookForeign } from '../diagnostics/integrations.js';
import { replaceFile } from '../io/replace.js';
import type { Program } from '../runtime.js';

/** Where libvirt looks for its hooks. */
export const HOOKS_FOLDER = '/etc/libvirt/hooks';

/** The program that the script starts, and its arguments. */
export interface HookSettings extends Program {
  readonly policy: string;
  /** What happens to a domain that is not right: `warn` or `enforce`. */
  readonly mode: string;
  /** Empty: none. */
  readonly log: string;
  readonly limitSeconds: number;
  /** More options for `hook run`. */
  readonly options: readonly string[];
}

/** The settings of a hook that is installed, for a script of this version and this program. */
export function refreshedScript(template: string, { file, mode = '' }: InstalledHook, program: Program): string {
  const script = readFileSync(file, 'utf8');
  const [, options = ''] = /^set -- (.*) ?-- "\$@"$/m.exec(script) ?? [];
  const values: Record<string, string> = {
    NODE: quoted(program.node),
    VSMMU: quoted(program.vsmmu),
    POLICY: quoted(valueIn(script, 'policy')),
    MODE: quoted(mode),
    LOG: quoted(valueIn(script, 'log')),
    LIMIT: valueIn(script, 'limit'),
    OPTIONS: options.trim(),
  };
  return filledIn(template, values);
}

/** The hook that is in a folder, and whether it is ours. */
export interface InstalledHook {
  readonly file: string;
  readonly ours: boolean;
  /** Of ours, what it is called with. */
  readonly node?: string;
  readonly vsmmu?: string;
  readonly policy?: string;
  readonly mode?: string;
  readonly convertOnStop?: boolean;
  readonly log?: string;
  /** What keeps it from running. */
  readonly broken: readonly string[];
}

/** A line that only our script has. */
const MARK = '# vsmmu-qemu-hook:';

/** A word of a shell's, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** The script, from its template. */
export function hookScript(template: string, settings: HookSettings): string {
  const values: Record<string, string> = {
    NODE: quoted(settings.node),
    VSMMU: quoted(settings.vsmmu),
    POLICY: quoted(settings.policy),
    MODE: quoted(settings.mode),
    LOG: quoted(settings.log),
    LIMIT: String(settings.limitSeconds),
    OPTIONS: settings.options.map(quoted).join(' '),
  };
  return filledIn(template, values);
}

function filledIn(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/@([A-Z]+)@/g, (all, name: string) => values[name] ?? all);
}

/** The value that a script gives to a variable, without quotes. */
function valueIn(script: string, name: string): string {
  const [, word = ''] = new RegExp(`^${name}=(.*)$`, 'm').exec(script) ?? [];
  return word.replace(/^'|'$/g, '').replaceAll("'\\''", "'");
}

/** Since when libvirt runs every script of `qemu.d`. */
const MANY_SCRIPTS = [6, 5];

/** Where our script goes: one of many, or for a libvirt that takes only one, that one. */
export async function hookPath(folder: string): Promise<string> {
  const version = await libvirtVersion();
  const [major = 0, minor = 0] = version ?? MANY_SCRIPTS;
  const one = major < 6 || (major === 6 && minor < 5);
  return one ? join(folder, 'qemu') : join(folder, 'qemu.d', 'vsmmu');
}

function libvirtVersion(): Promise<readonly number[] | undefined> {
  return new Promise((resolve) => {
    execFile('virsh', ['--version'], { timeout: 10_000 }, (_error, stdout) => {
      const version = /^(\d+)\.(\d+)/.exec(stdout);
      resolve(version ? [Number(version[1]), Number(version[2])] : undefined);
    });
  });
}

/** All paths where the hook can be installed, the usual one first. */
const PLACES = [join('qemu.d', 'vsmmu'), 'qemu'];

/** Our hook in a folder; undefined if it is not installed there. */
export function findHook(folder: string): InstalledHook | undefined {
  return PLACES.map((location) => lookAt(join(folder, location))).find((hook) => hook?.ours);
}

function lookAt(file: string): InstalledHook | undefined {
  if (!lstatSync(file, { throwIfNoEntry: false })) return undefined;
  let script: string;
  try {
    script = readFileSync(file, 'utf8');
  } catch {
    return { file, ours: false, broken: [] };
  }
  if (!script.includes(`\n${MARK}`)) return { file, ours: false, broken: [] };
  const value = (name: string): string => valueIn(script, name);
  const node = value('node');
  const vsmmu = value('vsmmu');
  const broken = [
    ...(isUsable(file, constants.X_OK) ? [] : [`${file} may not be run`]),
    ...(node === '' || isUsable(node, constants.X_OK) ? [] : [`${node} is not there`]),
    ...(isUsable(vsmmu, node === '' ? constants.X_OK : constants.R_OK) ? [] : [`${vsmmu} is not there`]),
  ];
  const convertOnStop = /^set -- .*'--convert-on-stop'/m.test(script);
  const said = { policy: value('policy'), mode: value('mode'), convertOnStop };
  return { file, ours: true, node, vsmmu, ...said, log: value('log'), broken };
}

/** The environment that libvirt starts a hook with. */
const HOOK_ENVIRONMENT = {
  LC_ALL: 'C',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
};

/** An operation that is not libvirt's, to which script and program answer. */
const STATUS = ['-', 'vsmmu', 'status', '-'];

/**
 * Returns what keeps a hook from running, found by starting the installed script as libvirt would, and then the program, to say
 * which of the two is at fault. They need no domain and write no log.
 */
export function problemsOf({ file, node = '', vsmmu = '', broken }: InstalledHook): readonly string[] {
  if (broken.length > 0) return broken;
  const script = whyNotRunning(file, STATUS);
  if (script === undefined) return [];
  const [program = '', ...words] = [...(node === '' ? [] : [node]), vsmmu];
  const why = whyNotRunning(program, [...words, 'hook', 'run', '--log', '', '--', ...STATUS]);
  return [why === undefined ? `${file} does not run: ${script}` : `${vsmmu} does not run: ${why}`];
}

function whyNotRunning(program: string, args: readonly string[]): string | undefined {
  const options = { env: HOOK_ENVIRONMENT, cwd: '/', input: '', encoding: 'utf8', timeout: 20_000 } as const;
  const { error, signal, status, stdout, stderr } = spawnSync(program, args, options);
  if (stdout === 'running\n') return undefined;
  const [line = ''] = stderr?.trim().split('\n') ?? [];
  return (
    error?.message ?? (line || (signal ? `it ends by ${signal}` : `it ends with exit code ${status} and no answer`))
  );
}

function isUsable(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

/**
 * Puts the script in its place.
 * @returns whether anything changed
 * @throws RefusedError `hook-foreign` if another program's hook is there; OutsideError `file-unwritable`
 */
export async function installHook(file: string, script: string): Promise<boolean> {
  const there = lookAt(file);
  if (there && !there.ours) {
    throw new RefusedError(hookForeign({ file }));
  }
  try {
    if (there && there.broken.length === 0 && readFileSync(file, 'utf8') === script) return false;
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    await replaceFile(file, script, { mode: 0o755 });
    return true;
  } catch (error) {
    if (error instanceof DiagnosedError) throw error;
    throw new EnvironmentError(fileUnwritable.system({ error: (error as Error).message, file }));
  }
}

/**
 * The first of a file and the folders above it that others than root may change: by owning it, or by writing to it, but for
 * folders such as /tmp, in which users cannot replace each other's files. A file that does not exist could be created by anyone who may
 * write to its folder. What a link leads to counts, and so does the link.
 */
export function exposedPart(file: string): string | undefined {
  return exposedOf(file, new Set());
}

function exposedOf(file: string, seen: Set<string>): string | undefined {
  for (let part = file; !seen.has(part); part = dirname(part)) {
    seen.add(part);
    const status = lstatSync(part, { throwIfNoEntry: false });
    if (status?.isSymbolicLink()) {
      if (status.uid !== 0) return part;
      const target = exposedOf(resolve(dirname(part), readlinkSync(part)), seen);
      if (target !== undefined) return target;
    } else if (status) {
      const sticky = status.isDirectory() && (status.mode & STICKY) !== 0;
      if (status.uid !== 0 || ((status.mode & OTHERS_WRITE) !== 0 && !sticky)) return part;
    }
  }
  return undefined;
}

/** Bits of a file's mode: its group and all others may write; of a folder, that only owners take out what is in it. */
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** Takes our script out. @throws OutsideError `file-unwritable` */
export function uninstallHook({ file }: InstalledHook): void {
  try {
    rmSync(file);
  } catch (error) {
    throw new EnvironmentError(fileUnwritable.system({ error: (error as Error).message, file }));
  }
  if (!file.endsWith('.d/vsmmu')) return;
  try {
    rmdirSync(dirname(file));
  } catch {
    // Others have scripts there.
  }
}
