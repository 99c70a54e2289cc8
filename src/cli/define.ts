import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError, InputError, RefusedError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import { defineDeclined, domainEdited, domainRunning, domainSaved, domainTransient } from '../diagnostics/libvirt.js';
import { usage } from '../diagnostics/usage.js';
import { describeIoError } from '../io/errors.js';
import { createFile } from '../io/replace.js';
import { type Connection, type DomainUuid, openLibvirt } from '../libvirt/connection.js';
import { confirm } from './io/ask.js';
import { printPatch, say } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { unifiedDiff } from './render/diff.js';
import { type Located, printJson, report } from './report.js';
import type { Source } from './source.js';
import { stateFolder } from './state-folder.js';

/** A domain's XML before (with passwords) and after. */
interface Definitions {
  readonly before: string;
  readonly after: string;
  readonly diagnostics: readonly Located[];
}

/**
 * Defines a domain in the libvirt that it came from: shows the diff, asks for confirmation, and keeps the former
 * definition. Like virsh edit, it refuses if the definition changed in the meantime.
 * @throws RefusedError `define-declined`, `domain-edited`, `domain-transient`; EnvironmentError
 */
export async function define(source: Source, { before, after, diagnostics }: Definitions, options: OptionValues) {
  const { uuid, name } = source;
  const uri = value(options, 'connect');
  if (uuid === undefined || uri === undefined)
    throw new InputError(usage.requires({ option: '--define', other: '--connect' }));
  if (after === before) return printOutcome(name, { changed: false, diagnostics }, options);
  const diff = unifiedDiff(name, before, after);
  const connection = openLibvirt(uri);
  try {
    const found = [...diagnostics, ...(await stateDiagnostics(connection, uuid)).map((d) => ({ file: name, ...d }))];
    if (isSet(options, 'diff')) printPatch(diff);
    else if (!isSet(options, 'yes') && process.stdin.isTTY) say(diff);
    report(found, options);
    if (!isSet(options, 'yes')) await requireConfirmation(name);
    if ((await connection.dumpXml(uuid, { inactive: true, security: true })) !== before) {
      throw new RefusedError(domainEdited.definition());
    }
    const backup = saveDefinition(stateFolder(options), uuid, before);
    await connection.define(after);
    printOutcome(name, { changed: true, diagnostics: found, backup }, options);
  } finally {
    await connection.close();
  }
}

/**
 * Returns diagnostics about the state of a domain whose definition is about to change.
 * @throws RefusedError `domain-transient`
 */
async function stateDiagnostics(connection: Connection, uuid: DomainUuid): Promise<readonly Diagnostic[]> {
  const entry = (await connection.list()).find((domain) => domain.uuid === uuid);
  if (!entry?.persistent) throw new RefusedError(domainTransient());
  return [
    ...(entry.managedSave ? [domainSaved.nextStart()] : []),
    ...(entry.state === 'shutoff' ? [] : [domainRunning()]),
  ];
}

/** Asks for confirmation on the terminal. @throws RefusedError `define-declined`; InputError `usage` without a terminal */
async function requireConfirmation(name: string): Promise<void> {
  const answer = await confirm(`Define ${JSON.stringify(name)}?`);
  if (answer === undefined) {
    throw new InputError(
      usage.needs({
        option: '--define',
        needed: 'a terminal for the confirmation',
        hint: 'give --yes to define without asking',
      }),
    );
  }
  if (!answer) throw new RefusedError(defineDeclined());
}

/** Saves a definition in a file that only its owner can read. The path does not depend on the XML. @returns the file */
function saveDefinition(folder: string, uuid: DomainUuid, xml: string): string {
  const time = new Date().toISOString().replaceAll(/[-:]/g, '');
  const file = join(folder, 'defined', `${uuid}-${time}.xml`);
  try {
    mkdirSync(join(folder, 'defined'), { recursive: true, mode: 0o700 });
    createFile(file, xml, 0o600);
  } catch (error) {
    throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file }));
  }
  return file;
}

function printOutcome(
  name: string,
  { changed, diagnostics, backup }: { changed: boolean; diagnostics: readonly Located[]; backup?: string },
  options: OptionValues,
): void {
  if (!changed) report(diagnostics, options);
  if (isSet(options, 'json')) printJson({ changed, diagnostics, ...(backup !== undefined && { backup }) });
  else if (!isSet(options, 'quiet')) {
    const kept = `defined; the former definition is in ${backup}`;
    say(`${JSON.stringify(name)}: ${changed ? kept : 'nothing to change'}\n`);
  }
}
