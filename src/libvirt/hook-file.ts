import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants, lstatSync, mkdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DiagnosedError, EnvironmentError, RefusedError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import { hookForeign } from '../diagnostics/integrations.js';
import { describeIoError } from '../io/errors.js';
import { replaceFile } from '../io/replace.js';
import type { Program } from '../runtime.js';

/** The folder where libvirt looks for its hooks. */
export const HOOKS_FOLDER = '/etc/libvirt/hooks';

/** The settings that the script contains: the program that it starts, and the program's arguments. */
export interface HookSettings extends Program {
  readonly policy: string;
  /** What to do with a domain that fails the check: `warn` or `enforce`. */
  readonly mode: string;
  /** The log file; empty for none. */
  readonly log: string;
  readonly limitSeconds: number;
  /** More options for `hook run`. */
  readonly options: readonly string[];
}

/** Returns the script of this version, for this program and with the settings of the installed hook. */
export function refreshedScript(template: string, { file, mode = '' }: InstalledHook, program: Program): string {
  const script = readFileSync(file, 'utf8');
  const [, options = ''] = /^set -- (.*) ?-- "\$@"$/m.exec(script) ?? [];
  const [policy, log, limit] = ['policy', 'log', 'limit'].map((name) => valueIn(script, name));
  return fillIn(template, { ...program, policy, mode, log }, limit, options.trim());
}

/** A hook that is in a folder, and whether it is vsmmu's. */
export interface InstalledHook {
  readonly file: string;
  readonly isVsmmu: boolean;
  /** The settings in the script, if it is vsmmu's. */
  readonly node?: string;
  readonly vsmmu?: string;
  readonly policy?: string;
  readonly mode?: string;
  readonly convertOnStop?: boolean;
  readonly log?: string;
  /** Why it cannot run. */
  readonly broken: readonly string[];
}

/** The beginning of a line that only vsmmu's script has. */
const MARK = '# vsmmu-qemu-hook:';

/** Quotes a word for a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Returns the script, made from its template. */
export function hookScript(template: string, settings: HookSettings): string {
  const { options, limitSeconds, ...words } = settings;
  return fillIn(template, words, limitSeconds, options.map(quoted).join(' '));
}

/** Replaces each `@NAME@` of a template: with the word of that name, quoted, or with the limit or the options as they are. */
function fillIn(template: string, words: object, limit: number | string | undefined, options: string): string {
  const values = new Map<string, unknown>(Object.entries(words).map(([name, word]) => [name, quoted(String(word))]));
  values.set('limit', limit).set('options', options);
  return template.replaceAll(/@([A-Z]+)@/g, (all, name: string) => String(values.get(name.toLowerCase()) ?? all));
}

/** Returns the value of a variable in a script, without quotes. */
function valueIn(script: string, name: string): string {
  const [, word = ''] = new RegExp(`^${name}=(.*)$`, 'm').exec(script) ?? [];
  return word.replace(/^'|'$/g, '').replaceAll("'\\''", "'");
}

/** The first libvirt that runs every script in `qemu.d`. */
const RUNS_FOLDER_SINCE = [6, 5] as const;

/** Returns the path for vsmmu's script: a file in `qemu.d`, or `qemu` if libvirt runs only one script. */
export async function hookPath(folder: string): Promise<string> {
  const [major = 0, minor = 0] = (await libvirtVersion()) ?? RUNS_FOLDER_SINCE;
  const [first, second] = RUNS_FOLDER_SINCE;
  const runsFolder = major > first || (major === first && minor >= second);
  return join(folder, runsFolder ? 'qemu.d/vsmmu' : 'qemu');
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

/** Returns vsmmu's hook in a folder; undefined if it is not installed there. */
export function findHook(folder: string): InstalledHook | undefined {
  return PLACES.map((location) => readHook(join(folder, location))).find((hook) => hook?.isVsmmu);
}

function readHook(file: string): InstalledHook | undefined {
  if (!lstatSync(file, { throwIfNoEntry: false })) return undefined;
  let script: string;
  try {
    script = readFileSync(file, 'utf8');
  } catch {
    return { file, isVsmmu: false, broken: [] };
  }
  if (!script.includes(`\n${MARK}`)) return { file, isVsmmu: false, broken: [] };
  const value = (name: string): string => valueIn(script, name);
  const node = value('node');
  const vsmmu = value('vsmmu');
  const broken = [
    ...(isUsable(file, constants.X_OK) ? [] : [`${file} is not executable`]),
    ...(node === '' || isUsable(node, constants.X_OK) ? [] : [`${node} is missing or not accessible`]),
    ...(isUsable(vsmmu, node === '' ? constants.X_OK : constants.R_OK)
      ? []
      : [`${vsmmu} is missing or not accessible`]),
  ];
  const convertOnStop = /^set -- .*'--convert-on-stop'/m.test(script);
  const said = { policy: value('policy'), mode: value('mode'), convertOnStop };
  return { file, isVsmmu: true, node, vsmmu, ...said, log: value('log'), broken };
}

/** The environment that libvirt starts a hook with. */
const HOOK_ENVIRONMENT = {
  LC_ALL: 'C',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
};

/** An operation that libvirt does not have; the script and the program answer it with `running`. */
const STATUS = ['-', 'vsmmu', 'status', '-'];

/**
 * Returns why a hook does not run. It starts the installed script as libvirt would. If that fails, it starts the
 * program to find out which of the two is at fault. Neither needs a domain or writes to the log.
 */
export function hookProblems({ file, node = '', vsmmu = '', broken }: InstalledHook): readonly string[] {
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
    error?.message ?? (line || (signal ? `it was ended by ${signal}` : `it exits with code ${status} and no answer`))
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
 * Installs the script.
 * @returns whether anything changed
 * @throws RefusedError `hook-foreign` if another program's hook is there; EnvironmentError `file-unwritable`
 */
export async function installHook(file: string, script: string): Promise<boolean> {
  const there = readHook(file);
  if (there && !there.isVsmmu) {
    throw new RefusedError(hookForeign({ file }));
  }
  try {
    if (there && there.broken.length === 0 && readFileSync(file, 'utf8') === script) return false;
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    await replaceFile(file, script, { mode: 0o755 });
    return true;
  } catch (error) {
    if (error instanceof DiagnosedError) throw error;
    throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file }));
  }
}

/**
 * Returns the first path, among a file and the folders above it, that a user other than root owns or may write to.
 * Write permission on folders such as /tmp does not count, since users cannot replace each other's files there. If the
 * file does not exist, anyone who may write to its folder could create it. Both a symbolic link and its target are
 * checked.
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

/** Mode bits: the group or all others may write; and in a folder, only owners may remove or rename files (sticky bit). */
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** Removes vsmmu's script. @throws EnvironmentError `file-unwritable` */
export function uninstallHook({ file }: InstalledHook): void {
  try {
    rmSync(file);
  } catch (error) {
    throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file }));
  }
  if (!file.endsWith('.d/vsmmu')) return;
  try {
    rmdirSync(dirname(file));
  } catch {
    // The folder contains other scripts.
  }
}
