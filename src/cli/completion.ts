import { spawnSync } from 'node:child_process';
import { CODES } from '../diagnostics/codes.js';
import { COMMANDS } from '../generated/commands.js';
import type { Command, CommandEntry } from './command.js';
import { findCommand, partsOf } from './find-command.js';
import type { OptionSpec, Options } from './options.js';
import { SHELLS } from './render/completion.js';

/** A word that may come next; `description` is for shells that show one. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** The possible next words, or the kind of file names that the shell completes itself. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly paths?: 'file' | 'folder';
}

const NOTHING: Completion = { candidates: [] };

/**
 * Returns the possible next words of a command line.
 * @param words the words after `vsmmu`; the last one is being typed, and is empty if it has not begun
 * @param domains lists the names of the domains of a libvirt
 */
export async function complete(
  words: readonly string[],
  domains: (uri: string) => readonly string[],
): Promise<Completion> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { name, entry, rest } = findCommand(before);
  if (!entry) return before.length > 1 ? NOTHING : startingWith(current, commandWords(name));
  const command = await entry.load();
  const specs: Options = { ...command.options, help: { type: 'boolean', describe: 'print help' } };
  const end = rest.indexOf('--');
  const given = end < 0 ? rest : rest.slice(0, end);
  if (end >= 0) return operandsOf(command, given, current, domains);

  const [, option, prefix] = /^(--[a-z-]+=)(.*)$/s.exec(current) ?? [];
  if (option !== undefined) {
    const completion = valuesOf(specFor(specs, option.slice(0, -1)), prefix ?? '');
    return { candidates: completion.candidates.map((c) => ({ ...c, value: option + c.value })) };
  }
  const awaited = specFor(specs, before.at(-1) ?? '');
  if (awaited?.type === 'string') return valuesOf(awaited, current);
  if (current.startsWith('-')) {
    const options = Object.entries(specs).flatMap(([each, { describe, hidden }]) =>
      hidden ? [] : [{ value: `--${each}`, description: describe }],
    );
    return startingWith(current, options);
  }
  return operandsOf(command, given, current, domains);
}

/** Returns the first words of all commands, or the second words of `hook` and `batch`. */
function commandWords(first: string): readonly Candidate[] {
  const isPublic = (name: string): boolean => COMMANDS[name]?.internal !== true;
  if (first !== '') {
    const parts = partsOf(first);
    return parts.map((part) => candidateFor(part, COMMANDS[`${first} ${part}`]));
  }
  const names = Object.keys(COMMANDS).flatMap((name) => (isPublic(name) ? [name.split(' ')[0] ?? ''] : []));
  return [...new Set(names)].map((name) => candidateFor(name, COMMANDS[name]));
}

function candidateFor(value: string, command: CommandEntry | undefined): Candidate {
  return command ? { value, description: command.summary } : { value };
}

/** Finds the option that a word names: `--` and its name, or `-` and its letter. */
function specFor(specs: Options, word: string): OptionSpec | undefined {
  if (word.startsWith('--')) return specs[word.slice(2)];
  return Object.values(specs).find(({ alias }) => alias !== undefined && word === `-${alias}`);
}

function valuesOf(spec: OptionSpec | undefined, current: string): Completion {
  if (spec?.value === 'file' || spec?.value === 'folder') return { candidates: [], paths: spec.value };
  return startingWith(
    current,
    (spec?.value ?? []).map((value) => ({ value })),
  );
}

/** Completes an operand of a command. Its kind follows from its name in the usage. */
function operandsOf(
  { usage }: Command,
  given: readonly string[],
  current: string,
  domains: (uri: string) => readonly string[],
): Completion {
  if (usage.includes('CODE'))
    return startingWith(
      current,
      Object.keys(CODES).map((value) => ({ value })),
    );
  if (usage.includes('SHELL'))
    return startingWith(
      current,
      SHELLS.map((value) => ({ value })),
    );
  const uri = connectionOf(given) ?? (usage.startsWith('batch convert') ? 'qemu:///system' : undefined);
  if (/DOMAIN|NAME/.test(usage) && uri !== undefined) {
    return startingWith(
      current,
      domains(uri).map((value) => ({ value })),
    );
  }
  return /DOMAIN|FILE/.test(usage) ? { candidates: [], paths: 'file' } : NOTHING;
}

function connectionOf(words: readonly string[]): string | undefined {
  for (const [i, word] of words.entries()) {
    if (word === '--connect' || word === '-c') return words[i + 1];
    if (word.startsWith('--connect=')) return word.slice('--connect='.length);
  }
  return undefined;
}

/** Lists the names of a libvirt's domains; none if it does not answer within two seconds. */
export function domainNames(uri: string): readonly string[] {
  const args = ['--quiet', '--connect', uri, '--readonly', 'list', '--all', '--name'];
  const { stdout } = spawnSync('virsh', args, { encoding: 'utf8', timeout: 2000, stdio: ['ignore', 'pipe', 'ignore'] });
  return (stdout ?? '').split('\n').filter((name) => name !== '');
}

function startingWith(current: string, candidates: readonly Candidate[]): Completion {
  return { candidates: candidates.filter(({ value }) => value.startsWith(current)) };
}
