import { check } from '../../check/check.js';
import { newDiagnostics } from '../../check/result.js';
import { domainRoot } from '../../diagnostics/domain.js';
import { DiagnosedError, EnvironmentError, InputError, RefusedError } from '../../diagnostics/errors.js';
import { fileUnwritable } from '../../diagnostics/files.js';
import { policyInvalid } from '../../diagnostics/json.js';
import { usage } from '../../diagnostics/usage.js';
import { type Domain, parseDomain } from '../../domain/domain.js';
import { describeIoError } from '../../io/errors.js';
import { overwriteFile } from '../../io/replace.js';
import { editingOfCaller } from '../../libvirt/caller.js';
import type { Command } from '../command.js';
import { edit } from '../editor.js';
import { hostReader } from '../host.js';
import { confirm } from '../io/ask.js';
import { readInput } from '../io/files.js';
import { say } from '../io/terminal.js';
import {
  flag,
  HOST_OPTIONS,
  isSet,
  type OptionValues,
  OUTPUT_OPTIONS,
  policyOptions,
  TARGET_OPTIONS,
  without,
} from '../options.js';
import { place } from '../place.js';
import { withHeader, withoutHeader } from '../render/edit-header.js';
import { type Located, printDiagnostics, report, withFile } from '../report.js';
import { targetNames, targetOf } from '../target.js';

export const command: Command = {
  usage: 'edit FILE',
  summary: "convert a domain's definition and open your own editor on it, for virsh edit",
  details: [
    'The editor is VSMMU_EDITOR, or else VISUAL or EDITOR unless that is vsmmu edit itself, or else sensible-editor or vi. A comment at the top lists the changes; it is removed when you save. The edited domain is checked again.',
    'A domain that cannot be converted is left unchanged. On a terminal you can edit it anyway; in a script virsh changes nothing.',
    "Other XML that virsh edits (saved states, snapshots, networks) goes to your editor unchanged. The same holds for commands typed into virsh's own shell, where vsmmu cannot distinguish edit from managedsave-edit.",
  ],
  options: {
    'no-editor': flag('convert the domain and open no editor'),
    'check-only': flag('open the editor and check the result; convert nothing'),
    ...HOST_OPTIONS,
    ...policyOptions(),
    ...TARGET_OPTIONS,
    ...without(OUTPUT_OPTIONS, 'json'),
  },
  examples: [
    ["EDITOR='$0 edit' virsh edit vm", 'opens the editor of VSMMU_EDITOR, VISUAL or EDITOR'],
    ["EDITOR='$0 edit --no-editor' virsh edit vm", 'in a script'],
  ],
  run,
};

/**
 * `vsmmu edit FILE`: an editor for `virsh edit`. If it exits with a code other than 0, the file has its former content,
 * and virsh changes nothing.
 */
async function run(operands: readonly string[], given: OptionValues): Promise<void> {
  const [file, ...more] = operands;
  if (file === undefined || file === '-' || more.length > 0) {
    throw new InputError(usage.takes({ command: 'edit', expected: 'one file' }));
  }
  if (isSet(given, 'no-editor') && isSet(given, 'check-only')) {
    throw new InputError(usage.excludes({ option: '--no-editor', other: '--check-only' }));
  }
  const options = { libvirt: 'here', qemu: 'here', ...given };
  const before = Buffer.from(await readInput(file));
  const name = definitionName(file, before, options);
  if (name === undefined) {
    if (!isSet(options, 'no-editor')) await edit(file);
    return;
  }
  try {
    if (isSet(options, 'check-only')) await editAndCheck(file, name, options);
    else await rewriteAndEdit(file, name, options);
  } catch (error) {
    overwrite(file, before);
    throw error;
  }
}

/**
 * Returns the name of the domain in the file; undefined if the file is not a definition. Such a file is only passed to the
 * editor.
 */
function definitionName(file: string, content: Uint8Array, options: OptionValues): string | undefined {
  const editing = editingOfCaller();
  const leave = (why: string): undefined => {
    if (!isSet(options, 'quiet')) say(`vsmmu: ${why}: nothing is rewritten\n`);
  };
  if (editing === 'other') return leave('this is not the definition of a domain');
  if (editing === 'unknown') return leave("virsh's own shell does not show what it edits (use virsh edit NAME)");
  try {
    return parseDomain(content).name || file;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const [first] = error.diagnostics;
    // XML that cannot be parsed can only be corrected in the editor.
    const isText = first?.code.startsWith('xml-') || first?.code === domainRoot.code;
    return first && isText ? leave(first.message) : file;
  }
}

async function rewriteAndEdit(file: string, name: string, options: OptionValues): Promise<void> {
  const withEditor = !isSet(options, 'no-editor');
  const placed = await orContinue(name, withEditor, options, () => place(file, options, { name }));
  if (!placed) return await edit(file);
  const { changed, xml: after, diagnostics } = placed;
  report(diagnostics, options);
  if (changed) overwrite(file, withEditor ? withHeader(after, diagnostics) : after);
  if (!withEditor) return;
  await edit(file);
  const edited = Buffer.from(await readInput(file)).toString('utf8');
  const saved = withoutHeader(edited);
  if (saved !== edited) overwrite(file, saved);
  // Diagnostics of the rewritten domain have been reported. Check again only if the user edited it.
  if (saved !== after) await checkAgain(file, name, options, placed.after);
}

async function editAndCheck(file: string, name: string, options: OptionValues): Promise<void> {
  await edit(file);
  await checkAgain(file, name, options);
}

/** Returns the result of a step; undefined if the step throws and the user chooses to continue without it. */
async function orContinue<T>(
  name: string,
  mayAsk: boolean,
  options: OptionValues,
  step: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    const own = !(error instanceof DiagnosedError) || error.diagnostics.some((d) => SETTINGS_ERRORS.has(d.code));
    if (own || !mayAsk || !process.stdin.isTTY) throw error;
    report(
      error.diagnostics.map((d) => ({ file: name, ...d })),
      options,
    );
    if (await confirm('The domain was not rewritten. Edit it anyway?')) return undefined;
    throw error;
  }
}

/** The codes of errors in the command line (in `EDITOR`) or in the policy, which no edit of the domain can correct. */
const SETTINGS_ERRORS: ReadonlySet<string> = new Set([usage.code, policyInvalid.code]);

/**
 * Checks a domain after the user edited it. If it has errors, asks whether to keep it.
 * @param before the domain before the edit, if its errors have already been reported
 */
async function checkAgain(file: string, name: string, options: OptionValues, before?: Domain): Promise<void> {
  let found: readonly Located[];
  try {
    const domain = parseDomain(await readInput(file));
    const target = await targetOf(targetNames(options));
    const settings = { target, forceTcg: isSet(options, 'force-tcg') };
    const host = hostReader(options)(domain);
    const all = before ? newDiagnostics(before, domain, host, settings) : check(domain, host, settings);
    found = withFile(domain, name, options)(all);
  } catch (error) {
    // virsh reports the error and offers to open the editor again.
    if (error instanceof InputError) return;
    throw error;
  }
  const errors = found.filter((d) => d.severity === 'error');
  report(
    found.filter((d) => d.severity !== 'error'),
    options,
  );
  if (errors.length === 0) return;
  if (!process.stdin.isTTY) throw new RefusedError(errors);
  printDiagnostics(errors);
  if (!(await confirm('Keep it anyway?'))) throw new RefusedError(errors);
}

function overwrite(file: string, content: string | Uint8Array): void {
  try {
    overwriteFile(file, content);
  } catch (error) {
    throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file }));
  }
}
