import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { InputError } from '../../diagnostics/errors.js';
import { hookExposed } from '../../diagnostics/integrations.js';
import { usage } from '../../diagnostics/usage.js';
import { exposedPart, HOOKS_FOLDER, type InstalledHook } from '../../libvirt/hook-file.js';
import { say } from '../io/terminal.js';
import { flag, isSet, type Options, type OptionValues, text, value } from '../options.js';
import { type Located, printJson } from '../report.js';

/** Options of the commands for an installed hook. */
export const HOOK_FOLDER_OPTIONS: Options = {
  dir: text("the folder of libvirt's hooks", { value: 'folder', defaultDescription: '/etc/libvirt/hooks' }),
  json: flag('print one JSON document'),
  quiet: flag('print only errors'),
};

/** The hook's default log file. */
export const DEFAULT_HOOK_LOG = '/var/log/vsmmu-hook.log';

/**
 * Returns a diagnostic for each file or folder that a user other than root can change: the programs that the hook runs as
 * root at each start of a guest, and its policy.
 */
export function exposures(hook: InstalledHook | undefined): Located[] {
  if (!hook) return [];
  const { file, node = '', vsmmu = '', policy = '' } = hook;
  const folder = dirname(dirname(vsmmu));
  const inPackage = ['bin', 'dist'].flatMap((name) => filesIn(join(folder, name)));
  const program = node === '' ? [vsmmu] : [node, vsmmu, ...inPackage, join(folder, 'package.json')];
  const parts = new Set([file, ...program, policy].flatMap((part) => exposedPart(part) ?? []));
  return [...parts].map((path) => ({ ...hookExposed({ path }), file }));
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

/** Returns the folder of libvirt's hooks. */
export function folderOf(options: OptionValues): string {
  return resolve(value(options, 'dir') ?? HOOKS_FOLDER);
}

/** @throws InputError `usage` if there is an operand */
export function requireNoOperand([operand]: readonly string[], command: string): void {
  if (operand !== undefined) throw new InputError(usage.noOperand({ command, operand }));
}

/** Prints the result of a command that changes the hook. */
export function printResult(options: OptionValues, result: Parameters<typeof printJson>[0], line: string): void {
  if (isSet(options, 'json')) printJson(result);
  else if (!isSet(options, 'quiet')) say(`vsmmu: ${line}\n`);
}
