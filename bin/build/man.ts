/**
 * Makes the man pages from the definitions of commands, policy keys and diagnostics. They are in mdoc, the manual language of
 * mandoc and groff. `mandoc -T lint` must print no warnings.
 */

import type { Command } from '../../src/cli/command.js';
import type { OptionSpec } from '../../src/cli/options.js';
import { explain } from '../../src/cli/render/explanation.js';
import { CODES, type DiagnosticCode } from '../../src/diagnostics/codes.js';
import { COMMANDS } from '../../src/generated/commands.js';
import { policyKeys } from '../../src/policy/policy.js';

/** Pages by file name: `vsmmu-rewrite.1`. */
export type ManPages = Readonly<Record<string, string>>;

const PURPOSE = 'place host devices of libvirt domains behind one virtual SMMUv3 per physical SMMUv3';

/** The commands that have a page. Internal commands, which only programs call, have none. */
const PUBLIC_COMMANDS = await Promise.all(
  Object.entries(COMMANDS).flatMap(([name, { internal, load }]) =>
    internal ? [] : [load().then((command): [string, Command] => [name, command])],
  ),
);

/**
 * Returns all pages.
 * @param date the date of the pages
 */
export function manPages(date: Date): ManPages {
  const commands = PUBLIC_COMMANDS;
  return {
    'vsmmu.1': mainPage(date, commands),
    ...Object.fromEntries(
      commands.map(([name, command]) => [`${pageName(name)}.1`, commandPage(date, name, command)] as const),
    ),
    'vsmmu-policy.5': policyPage(date),
    'vsmmu-diagnostics.7': diagnosticsPage(date),
  };
}

const pageName = (command: string): string => `vsmmu-${command.replaceAll(' ', '-')}`;

function mainPage(date: Date, commands: readonly (readonly [string, Command])[]): string {
  return page(date, 'vsmmu', 1, PURPOSE, [
    section('SYNOPSIS', '.Nm', '.Ar command', '.Op Ar option ...', '.Op Ar operand ...'),
    section(
      'DESCRIPTION',
      text(
        `A libvirt guest on Arm that has several host devices (GPUs, NICs, NVMe drives) needs one virtual SMMUv3 (vSMMU) for
        each physical SMMUv3 (SMMU) that the devices are behind. Only then can QEMU give the guest hardware-accelerated nested translation.`,
      ),
      '.Pp',
      '.Nm',
      text(
        `reads a domain and a host. It writes the domain back with one pcie-expander-bus and one vSMMU per SMMU, and with each
        host device on a root port of its own SMMU's expander bus. Emulated devices stay on pcie.0. Everything else in the
        domain stays as it is, byte for byte.`,
      ),
      '.Pp',
      text(
        'DOMAIN is a file with the XML of a libvirt domain, or - for standard input. With --connect it is a name or a UUID.',
      ),
    ),
    section(
      'COMMANDS',
      '.Bl -tag -width Ds',
      ...commands.flatMap(([name, { summary }]) => [`.It Xr ${pageName(name)} 1`, text(summary)]),
      '.El',
      ...['.Pp', text('The following options work without a command:'), '.Bl -tag -width Ds'],
      ...['.It Fl -help', text('print help; after a command, its options and examples')],
      ...['.It Fl -version', text('print the version'), '.El'],
    ),
    section(
      'ENVIRONMENT',
      '.Bl -tag -width Ds',
      ...ENVIRONMENT.flatMap(([name, meaning]) => [`.It Ev ${name}`, text(meaning)]),
      '.El',
    ),
    section('FILES', '.Bl -tag -width Ds', ...FILES.flatMap(([path, what]) => [`.It Pa ${path}`, text(what)]), '.El'),
    exitStatus(),
    seeAlso(['vsmmu-policy 5', 'vsmmu-diagnostics 7', 'virsh 1', 'qemu-system-aarch64 1']),
  ]);
}

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['LIBVIRT_DEFAULT_URI', 'the libvirt to connect to if a command needs one and --connect is not given'],
  [
    'VSMMU_LIBVIRT_SCHEMAS',
    `the folder with libvirt's schemas, instead of /usr/share/libvirt/schemas. They show whether the installed libvirt keeps
    all parts of a converted domain; if not, vsmmu warns.`,
  ],
  ['VSMMU_EDITOR , Ev VISUAL , Ev EDITOR', 'the editor that vsmmu edit opens; the first one that is set'],
  [
    'BUN_OPTIONS , Ev BUN_BE_BUN , Ev BUN_INSPECT , Ev BUN_JSC_*',
    `read by the runtime inside the standalone executable; they can change what it does and cannot be disabled. Start it through
    env -i if the environment is not trusted, as the hook and onDefineDomain do.`,
  ],
];

const FILES: readonly (readonly [string, string])[] = [
  ['/etc/vsmmu/policy.json', 'the policy of this host; see vsmmu-policy(5)'],
  ['/etc/libvirt/hooks/qemu.d/vsmmu', "libvirt's hook, after vsmmu hook install"],
  ['/var/lib/vsmmu', 'backups and journals of batches, and former definitions of domains'],
  ['/var/log/vsmmu-hook.log', "the hook's log"],
  ['/usr/share/vsmmu/samples', 'domains, hosts, policies and integrations to copy from'],
];

function exitStatus(): string {
  const codes = [
    ['0', 'done'],
    ['1', 'a domain is refused, or a check found an error'],
    ['2', 'the input or the command line is wrong'],
    ['3', 'a file, sysfs, libvirt or another program failed'],
    ['130', 'interrupted'],
  ];
  return section(
    'EXIT STATUS',
    '.Bl -tag -width Ds',
    ...codes.flatMap(([code = '', what = '']) => [`.It ${code}`, text(what)]),
    '.El',
  );
}

function commandPage(date: Date, name: string, command: Command): string {
  const options = Object.entries(command.options)
    .filter(([, { hidden }]) => !hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const operands = command.usage.slice(name.length).trim();
  return page(date, pageName(name), 1, summaryLine(command.summary), [
    section(
      'SYNOPSIS',
      `.Nm vsmmu ${name}`,
      ...(options.length > 0 ? ['.Op Ar option ...'] : []),
      ...(operands === '' ? [] : [operandsMacro(operands)]),
    ),
    section(
      'DESCRIPTION',
      text(`${command.summary.replace(/^[a-z]/, (c) => c.toUpperCase())}.`),
      ...(command.details ?? []).flatMap((paragraph) => ['.Pp', text(paragraph)]),
    ),
    ...(options.length > 0
      ? [section('OPTIONS', '.Bl -tag -width Ds', ...options.flatMap(([each, spec]) => optionLines(each, spec)), '.El')]
      : []),
    exitStatus(),
    section('EXAMPLES', ...command.examples.flatMap((example, i) => exampleLines(example, i))),
    seeAlso([
      'vsmmu 1',
      ...(options.some(([each]) => each === 'policy') ? ['vsmmu-policy 5'] : []),
      'vsmmu-diagnostics 7',
    ]),
  ]);
}

/** The one-line description of a page, which apropos(1) shows. */
const summaryLine = (summary: string): string => summary.split(/[;:]/)[0] ?? summary;

/** Converts operands to mdoc: `[DOMAIN]`, `DOMAIN BDF`, `[NAME...]`. */
function operandsMacro(operands: string): string {
  return operands
    .split(' ')
    .map((word) => {
      const [, bracket, name, more] = /^(\[?)([A-Z-]+)(\.\.\.)?\]?$/.exec(word) ?? [];
      return `.${bracket ? 'Op ' : ''}Ar ${(name ?? word).toLowerCase()}${more ? ' ...' : ''}`;
    })
    .join('\n');
}

function optionLines(name: string, { type, describe, alias, conflicts, defaultDescription }: OptionSpec): string[] {
  const value = type === 'string' ? ' Ar value' : '';
  const short = alias === undefined ? '' : `Fl ${alias}${value} , `;
  const more = [
    ...(defaultDescription === undefined ? [] : [`The default is ${defaultDescription}.`]),
    ...(conflicts === undefined ? [] : [`Not together with --${conflicts}.`]),
  ];
  return [`.It ${short}Fl -${name}${value}`, text([`${describe}.`, ...more].join(' '))];
}

function exampleLines([line, what]: readonly [line: string, what: string], i: number): string[] {
  const title = what === '' ? [] : [text(`${what.replace(/^[a-z]/, (c) => c.toUpperCase())}:`)];
  return [
    ...(i > 0 ? ['.Pp'] : []),
    ...title,
    '.Bd -literal -offset indent',
    escapeLine(line.replaceAll('$0', 'vsmmu')),
    '.Ed',
  ];
}

function policyPage(date: Date): string {
  const keys = policyKeys().flatMap(({ key, description, default: value, choices }) => [
    `.It Cm ${key}`,
    text(`${description} The default is ${JSON.stringify(value)}.${choices ? ` One of ${choices.join(', ')}.` : ''}`),
  ]);
  return page(date, 'vsmmu-policy', 5, 'how vsmmu places devices on this host', [
    section(
      'DESCRIPTION',
      text('The policy is a JSON object. Every key is optional; an unknown key is an error. The file is'),
      '.Pa /etc/vsmmu/policy.json ,',
      text(
        'or the one that --policy names. An option of the same name overrides a key: --spare-ports overrides "sparePorts".',
      ),
    ),
    section('KEYS', '.Bl -tag -width Ds', ...keys, '.El'),
    section(
      'EXAMPLES',
      text(
        'Refuse to start domains that have an error on this host or are not converted for it, and convert domains when they stop:',
      ),
      '.Bd -literal -offset indent',
      '{ "hook": "enforce", "convertOnStop": true }',
      '.Ed',
    ),
    seeAlso(['vsmmu 1', 'vsmmu-rewrite 1', 'vsmmu-hook-install 1']),
  ]);
}

function diagnosticsPage(date: Date): string {
  const entries = (Object.keys(CODES) as DiagnosticCode[])
    .map(explain)
    .flatMap((d) => [
      `.It Sy ${d.code} Pq ${d.severity}`,
      text(`${d.meaning.replaceAll('`', '').replace(/^[a-z]/, (c) => c.toUpperCase())}.`),
      '.Pp',
      text(d.why),
      '.Pp',
      text(d.remedy),
      '.Bd -literal -offset indent',
      ...d.example.split('\n').map(escapeLine),
      '.Ed',
    ]);
  return page(date, 'vsmmu-diagnostics', 7, 'what the diagnostics of vsmmu mean', [
    section(
      'DESCRIPTION',
      text('Each diagnostic has a code. It is printed as file:line:column: severity: code: message.'),
      text('vsmmu explain prints one of the following entries.'),
      '.Bl -tag -width Ds',
      ...entries,
      '.El',
    ),
    seeAlso(['vsmmu 1', 'vsmmu-explain 1']),
  ]);
}

function page(date: Date, name: string, volume: number, purpose: string, sections: readonly string[]): string {
  const day = date.toLocaleDateString('en-US', { timeZone: 'UTC', year: 'numeric', month: 'long', day: 'numeric' });
  return [
    `.Dd ${day}`,
    `.Dt ${name.toUpperCase()} ${volume}`,
    '.Os',
    section('NAME', `.Nm ${name}`, `.Nd ${escapeLine(purpose)}`).trimEnd(),
    ...sections.map((each) => each.trimEnd()),
    '',
  ].join('\n');
}

const section = (title: string, ...lines: readonly string[]): string => [`.Sh ${title}`, ...lines, ''].join('\n');

/** Lists references in the order that mdoc requires: by section, then by name. */
function seeAlso(references: readonly string[]): string {
  const sorted = references
    .map((reference) => reference.split(' ') as [string, string])
    .sort(([a, x], [b, y]) => x.localeCompare(y) || a.localeCompare(b));
  return section(
    'SEE ALSO',
    ...sorted.map(([name, volume], i) => `.Xr ${name} ${volume}${i < sorted.length - 1 ? ' ,' : ''}`),
  );
}

/** Formats a paragraph in short lines. Each sentence begins on a new line, because roff needs this for its spacing. */
function text(paragraph: string): string {
  const sentences = paragraph
    .replace(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.!?]["')\]]*) /);
  return sentences
    .flatMap((sentence) => sentence.match(/.{1,70}(?= |$)|\S+/g) ?? [])
    .map((line) => escapeLine(line.trim()))
    .join('\n');
}

/** Converts a line to ASCII, and escapes it so that roff finds no request in it. */
function escapeLine(line: string): string {
  return line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&')
    .replace(/[^\x20-\x7e]/gu, (c) => `\\[u${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}
