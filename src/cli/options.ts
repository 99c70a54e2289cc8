import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { FORMATS } from '../generated/formats.js';
import { DEFAULT_POLICY, type Policy, policyKeys, readPolicy, withOption } from '../policy/policy.js';
import { readExisting, readTextFile } from './io/files.js';

/** The options of a command line, by name in kebab case. */
export type OptionValues = Readonly<Record<string, unknown>>;

/** The default path of the policy. */
export const DEFAULT_POLICY_FILE = '/etc/vsmmu/policy.json';

/** The default state folder, as text for --help. */
export const STATE_FOLDERS = '/var/lib/vsmmu; ~/.local/state/vsmmu if not root';

/** An option as yargs describes it. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly describe: string;
  readonly alias?: string;
  /** The kind of its value, for completion: possible words, or a path that the shell completes. */
  readonly value?: 'file' | 'folder' | readonly string[];
  /** Accepted without effect, and not listed in the help. */
  readonly hidden?: true;
  /** Another option that it excludes. */
  readonly conflicts?: string;
  readonly defaultDescription?: string;
}

/** Options by name. */
export type Options = Readonly<Record<string, OptionSpec>>;

/** Declares an option with a text value. */
export function text(describe: string, more: Partial<OptionSpec> = {}): OptionSpec {
  return { type: 'string', describe, ...more };
}

/** Declares an option without a value. */
export function flag(describe: string, more: Partial<OptionSpec> = {}): OptionSpec {
  return { type: 'boolean', describe, ...more };
}

/** Options of every command. */
export const OUTPUT_OPTIONS: Options = {
  json: flag('print one JSON document: changed, diagnostics and the result'),
  strict: flag('treat warnings as errors'),
  quiet: flag('print only errors', { conflicts: 'verbose' }),
  verbose: flag('also print where each device moves'),
};

/**
 * Returns `OUTPUT_OPTIONS` for a command on which only the options in `acting` have an effect. The help of the command
 * lists only these. The command accepts the others, too, so that a script can give the same options to all commands.
 */
export function outputOptions(...acting: readonly string[]): Options {
  return Object.fromEntries(
    Object.entries(OUTPUT_OPTIONS).map(([name, spec]) => [
      name,
      acting.includes(name) ? spec : { ...spec, hidden: true },
    ]),
  );
}

/** Options that select the host. */
export const HOST_OPTIONS: Options = {
  sysfs: text('read this folder instead of /sys', {
    value: 'folder',
    defaultDescription: '/sys',
    conflicts: 'topology',
  }),
  topology: text('read the host from this snapshot (vsmmu topology --json) instead of sysfs', { value: 'file' }),
};

/** Options for where to write the changed domain. */
export const RESULT_OPTIONS: Options = {
  output: text('write to this file instead of standard output', { alias: 'o', value: 'file' }),
  'in-place': flag('replace the file with the result, atomically', { alias: 'i' }),
  backup: text('with --in-place: keep a copy of the old file, with this suffix after its name'),
  diff: flag('print a unified diff instead of the domain'),
};

/** The usual connections, for completion. */
const CONNECTIONS = ['qemu:///system', 'qemu:///session'];

/** Options for reading a domain from libvirt. */
export const CONNECT_OPTIONS: Options = {
  connect: text('take the domain, by name or UUID, from the libvirt at this URI', {
    alias: 'c',
    value: CONNECTIONS,
  }),
};

/** Options for storing a domain where it came from. */
export const DEFINE_OPTIONS: Options = {
  ...CONNECT_OPTIONS,
  define: flag('with --connect: define the result, after showing the diff and asking for confirmation', {
    conflicts: 'output',
  }),
  yes: flag('with --define: do not ask', { alias: 'y' }),
  state: text('with --define: the folder for the former definition', {
    value: 'folder',
    defaultDescription: STATE_FOLDERS,
  }),
};

const PICTURES = Object.entries(FORMATS).map(([name, { summary }]) => `${name} (${summary})`);

/** Options for drawing a picture instead of printing text. */
export const PICTURE_OPTIONS: Options = {
  svg: text('write an SVG picture to this file instead of text; - is standard output', {
    value: 'file',
    conflicts: 'format',
  }),
  format: text(`print text, or a picture as ${PICTURES.join(' or ')}`, {
    value: ['text', ...Object.keys(FORMATS)],
    defaultDescription: 'text',
  }),
};

/** The option for how near devices are to each other. */
export const LOCALITY_OPTIONS: Options = {
  locality: flag('also print how near GPUs, NICs and NVMe drives are to each other, as nvidia-smi topo -m does'),
};

/** Options that select the libvirt and the QEMU that the result is for. */
export const TARGET_OPTIONS = targetOptions('that the result is for', 'current upstream');

function targetOptions(purpose: string, defaultDescription: string): Options {
  const option = (program: string) =>
    text(`the ${program} ${purpose}: a version, here (the installed one) or nvidia (NVIDIA's packages)`, {
      value: ['here', 'nvidia'],
      defaultDescription,
    });
  return { libvirt: option('libvirt'), qemu: option('QEMU') };
}

const kebab = (key: string): string => key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** The options for policy keys that only libvirt's hook uses. */
const HOOK_KEYS = ['hook', 'convert-on-stop'];

/** Returns the option for the policy file, and one option per policy key that affects placement. */
export function policyOptions(): Options {
  return without(allPolicyOptions(), ...HOOK_KEYS);
}

/** Returns the option for the policy file, and one option per policy key, described by the schema. */
function allPolicyOptions(): Options {
  const options: Record<string, OptionSpec> = {
    policy: text('the policy file', { value: 'file', defaultDescription: `${DEFAULT_POLICY_FILE} if it exists` }),
  };
  for (const { key, description, choices, kind, default: value } of policyKeys()) {
    const [first = ''] = description.split(/(?<=[.;:]) /);
    const describe = first.replace(/[.;:]$/, '').replace(/^[A-Z](?![A-Z])/, (c) => c.toLowerCase());
    const defaultDescription = kind === 'list' ? 'none' : String(value);
    options[kebab(key)] =
      kind === 'switch'
        ? flag(describe)
        : text(choices ? `${describe} (${choices.join(', ')})` : describe, {
            defaultDescription,
            ...(choices && { value: choices }),
          });
  }
  options['force-tcg'] = flag('accept a domain that is not of type kvm, which QEMU cannot accelerate (for test labs)');
  return options;
}

/** Returns the policy options that apply when a device is hot-plugged. */
export function attachOptions(): Options {
  const { policy, bypass } = policyOptions();
  return { ...(policy && { policy }), ...(bypass && { bypass }) };
}

/** Returns the options of `check`. The policy options are for `--fix`, which rewrites a domain. */
export function checkOptions(): Options {
  return {
    'no-host': flag('check the XML only, without a host'),
    fix: flag('rewrite each file if that fixes a problem, and check it again'),
    backup: text('with --fix: keep a copy of the old file, with this suffix after its name'),
    diff: flag('with --fix: print the diff and write nothing'),
    ...policyOptions(),
  };
}

/** Returns the options of `hook run`. */
export function hookOptions(): Options {
  const options = { ...allPolicyOptions(), ...HOST_OPTIONS };
  const some = (...names: readonly string[]) =>
    Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name)));
  return {
    ...some('policy', ...HOOK_KEYS),
    log: text('the log file', { value: 'file' }),
    limit: text('the time limit of the check, in seconds', { defaultDescription: '5' }),
    state: text('the folder for the former XML of converted domains', { defaultDescription: STATE_FOLDERS }),
    ...some('sysfs', 'force-tcg'),
    ...targetOptions('to check for', 'here'),
  };
}

/** Returns the options except those with these names. */
export function without(options: Options, ...names: readonly string[]): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
}

/** Returns the value of an option, the last one if it was given more than once; undefined if not given. */
export function value(options: OptionValues, name: string): string | undefined {
  const given = options[name];
  const last = Array.isArray(given) ? given.at(-1) : given;
  return last === undefined ? undefined : String(last);
}

/** Whether a flag was given. */
export function isSet(options: OptionValues, name: string): boolean {
  const given = options[name];
  return (Array.isArray(given) ? given.at(-1) : given) === true;
}

/**
 * Returns the policy of a command line: that of the policy file, overridden by the options.
 * @param mayBeMissing whether a named file that does not exist counts as an empty policy
 */
export function policyOf(options: OptionValues, { mayBeMissing = false } = {}): Policy {
  const file = value(options, 'policy');
  const read = file === undefined || mayBeMissing ? readExisting(file ?? DEFAULT_POLICY_FILE) : readTextFile(file);
  let policy = read === undefined ? DEFAULT_POLICY : readPolicy(read, file ?? DEFAULT_POLICY_FILE);
  for (const { key, kind } of policyKeys()) {
    const name = kebab(key);
    if (options[name] === undefined) continue;
    policy = withOption(policy, key, optionValue(options, name, kind), `--${name}`);
  }
  return policy;
}

function optionValue(
  options: OptionValues,
  name: string,
  kind: ReturnType<typeof policyKeys>[number]['kind'],
): unknown {
  if (kind === 'switch') return isSet(options, name);
  if (kind === 'list') return [options[name]].flat().flatMap((item) => String(item).split(','));
  const given = value(options, name) ?? '';
  return /^(0|[1-9][0-9]*)$/.test(given) ? Number(given) : given;
}

/** Returns the single operand of a command; `-` if not given. @throws InputError `usage` for more than one */
export function soleOperand(operands: readonly string[], what: string): string {
  const [first = '-', second] = operands;
  if (second === undefined) return first;
  throw new InputError(usage.single({ what, count: operands.length }));
}

/**
 * Returns the domain operand of a command.
 * @throws InputError `usage` for more than one, and for --connect without a name
 */
export function domainOperand(operands: readonly string[], options: OptionValues): string {
  const uri = value(options, 'connect');
  if (uri !== undefined && operands.length === 0) {
    throw new InputError(usage.give({ what: `the name or the UUID of a domain of ${uri}` }));
  }
  return soleOperand(operands, 'domain');
}
