import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { diagnostic, InputError } from '../diagnostics.js';
import { HOOK_TEMPLATE } from '../generated/hook-script.js';
import type { Policy } from '../generated/policy.js';
import {
  exposedPart,
  findHook,
  HOOKS_FOLDER,
  hookPath,
  hookScript,
  type InstalledHook,
  installHook,
  problemsOf,
  refreshedScript,
  uninstallHook,
} from '../libvirt/hook-file.js';
import { ownProgram } from '../runtime.js';
import { readExisting } from './files.js';
import { print, say } from './io/terminal.js';
import { DEFAULT_POLICY_FILE, isSet, type OptionValues, policyOf, value } from './options.js';
import { type Located, printJson, report } from './report.js';

/** Where the hook writes what it thinks, unless told. */
export const DEFAULT_HOOK_LOG = '/var/log/vsmmu-hook.log';

/** What libvirt finds out about its hooks only when it starts. */
const RESTART = 'libvirt looks for hooks when it starts: restart virtqemud (or libvirtd) if this is its first';

/** `vsmmu hook install`. */
export async function install(operands: readonly string[], options: OptionValues): Promise<void> {
  none(operands, 'hook install');
  const limit = value(options, 'limit') ?? '5';
  if (!/^[1-9]\d?$/.test(limit)) {
    throw new InputError(diagnostic('usage', `--limit takes 1 to 99 seconds, not ${limit}`));
  }
  const path = (option: string, otherwise: string): string => {
    const given = value(options, option);
    return given === undefined ? otherwise : given === '' ? '' : resolve(given);
  };
  // A policy that cannot be read is better known now than at a start.
  const policy = policyOf(options);
  const script = hookScript(HOOK_TEMPLATE, {
    ...ownProgram(),
    policy: path('policy', DEFAULT_POLICY_FILE),
    mode: policy.hook,
    log: path('log', DEFAULT_HOOK_LOG),
    limitSeconds: Number(limit),
    options: [
      ...['sysfs', 'state'].flatMap((option) =>
        options[option] === undefined ? [] : [`--${option}`, path(option, '')],
      ),
      ...['libvirt', 'qemu'].flatMap((option) => {
        const target = value(options, option);
        return target === undefined ? [] : [`--${option}`, target];
      }),
      ...['convert-on-stop', 'force-tcg'].flatMap((option) => (isSet(options, option) ? [`--${option}`] : [])),
    ],
  });
  const file = await hookPath(folderOf(options));
  const changed = await installHook(file, script);
  const diagnostics = exposures(findHook(folderOf(options)));
  report(diagnostics, options);
  tell(
    options,
    { changed, diagnostics, file },
    changed ? `${file} is installed; ${RESTART}` : `${file} is as it should be`,
  );
}

/** `vsmmu hook uninstall`. */
export async function uninstall(operands: readonly string[], options: OptionValues): Promise<void> {
  none(operands, 'hook uninstall');
  const hook = findHook(folderOf(options));
  if (hook) uninstallHook(hook);
  tell(
    options,
    { changed: hook !== undefined, diagnostics: [] },
    hook ? `${hook.file} is gone` : 'it is not installed',
  );
}

/** `vsmmu hook refresh`: an upgrade of the package calls it. A hook that is not installed stays so. */
export async function refresh(operands: readonly string[], options: OptionValues): Promise<void> {
  none(operands, 'hook refresh');
  const hook = findHook(folderOf(options));
  const changed =
    hook !== undefined && (await installHook(hook.file, refreshedScript(HOOK_TEMPLATE, hook, ownProgram())));
  const line = hook ? `${hook.file} is ${changed ? 'brought up to date' : 'as it should be'}` : 'it is not installed';
  tell(options, { changed, diagnostics: [] }, line);
}

/** `vsmmu hook status`: 0 where it is installed and can run. */
export async function status(operands: readonly string[], options: OptionValues): Promise<number> {
  none(operands, 'hook status');
  const hook = findHook(folderOf(options));
  const mode = hook?.mode;
  const { convertOnStop } = policyOf(hook ? optionsOf(hook) : {}, { mayBeMissing: true });
  const diagnostics = [...exposures(hook), ...(hook ? differences(hook) : [])];
  const broken = hook ? problemsOf(hook) : [];
  if (isSet(options, 'json')) {
    const found = { ...hook, broken, convertOnStop };
    printJson({ changed: false, diagnostics, installed: hook !== undefined, ...(hook && found) });
  } else if (!hook) print('not installed\n');
  else {
    const rows = [
      ['script', hook.file],
      ...(hook.node === '' ? [] : [['Node', hook.node]]),
      ['vsmmu', hook.vsmmu],
      ['policy', `${hook.policy}${existsSync(hook.policy ?? '') ? '' : ' (not there: the defaults hold)'}`],
      ['at a start', mode === 'enforce' ? 'refuses a domain that is not right' : 'warns of a domain that is not right'],
      ['at a stop', convertOnStop ? 'converts a domain that needs it' : 'nothing'],
      ['log', hook.log || 'none'],
      ...broken.map((what) => ['BROKEN', what]),
    ];
    print(rows.map(([what = '', is = '']) => `${what.padEnd(12)}${is}\n`).join(''));
    report(diagnostics, options);
  }
  return hook && broken.length === 0 ? 0 : 1;
}

/** What others than root could change to become root at the next start of a guest: all that runs, and all that decides. */
function exposures(hook: InstalledHook | undefined): Located[] {
  if (!hook) return [];
  const { file, node = '', vsmmu = '', policy = '' } = hook;
  const folder = dirname(dirname(vsmmu));
  const inPackage = ['bin', 'dist'].flatMap((name) => filesIn(join(folder, name)));
  const program = node === '' ? [vsmmu] : [node, vsmmu, ...inPackage, join(folder, 'package.json')];
  const deciding = [file, ...program, policy];
  const parts = new Set(deciding.flatMap((part) => exposedPart(part) ?? []));
  return [...parts].map((part) => ({
    file,
    ...diagnostic('hook-exposed', `libvirt runs the hook as root, and others than root may change ${part}`),
  }));
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => join(folder, name));
}

/** Where the policy says something else than when the hook was installed. */
function differences({ file, policy = '', mode }: InstalledHook): Located[] {
  const text = readExisting(policy);
  const wanted = text === undefined ? undefined : (JSON.parse(text) as Policy).hook;
  if (wanted === undefined || wanted === mode) return [];
  return [
    {
      file,
      ...diagnostic('hook-differs', `${policy} says "hook": "${wanted}", and the hook is installed with ${mode}`),
    },
  ];
}

/** The policy that the hook's program uses. */
function optionsOf({ policy, convertOnStop }: InstalledHook): OptionValues {
  return { policy, ...(convertOnStop && { 'convert-on-stop': true }) };
}

function folderOf(options: OptionValues): string {
  return resolve(value(options, 'dir') ?? HOOKS_FOLDER);
}

function none([operand]: readonly string[], command: string): void {
  if (operand !== undefined) throw new InputError(diagnostic('usage', `${command} takes no operand: ${operand}`));
}

function tell(options: OptionValues, result: Parameters<typeof printJson>[0], line: string): void {
  if (isSet(options, 'json')) printJson(result);
  else if (!isSet(options, 'quiet')) say(`vsmmu: ${line}\n`);
}
