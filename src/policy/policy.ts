import schema from '../../schemas/policy.schema.json' with { type: 'json' };
import { InputError } from '../diagnostics/errors.js';
import { policyInvalid } from '../diagnostics/json.js';
import { usage } from '../diagnostics/usage.js';
import { parseBdf } from '../domain/address.js';
import { CHOSEN_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { Policy as PolicyFile } from '../generated/policy.js';
import { validate } from '../generated/policy.validate.js';
import { checkJson, parseJson } from '../json.js';

/** How devices are placed: a value for every key of the policy's schema. */
export type Policy = Readonly<Required<Omit<PolicyFile, '$schema'>>>;

/** The name of a policy key: `sparePorts`. */
export type PolicyKey = keyof Policy;

/** The defaults of the schema. */
export const DEFAULT_POLICY: Policy = Object.fromEntries(
  Object.entries(schema.properties).flatMap(([key, property]) =>
    'default' in property ? [[key, property.default]] : [],
  ),
) as unknown as Policy;

/** Reads a policy as `readPolicyKeys` does. Missing keys get their defaults. */
export function readPolicy(text: string, file: string): Policy {
  return policyWithDefaults(readPolicyKeys(text, file));
}

/**
 * Returns the keys that a policy sets.
 * @param file its name, for diagnostics
 * @throws InputError `policy-invalid` if it is not JSON or does not fit its schema, with the path of the error
 */
export function readPolicyKeys(text: string, file: string): Partial<Policy> {
  const value = withBdfs(parseJson(text, file, policyInvalid));
  checkJson(value, file, policyInvalid, validate, { keys: Object.keys(schema.properties) });
  const { $schema: _, ...policy } = value;
  return policy;
}

/** Returns a policy with its PCI addresses in vsmmu's format. Leaves other text unchanged: the schema refuses it. */
function withBdfs(policy: unknown): unknown {
  if (typeof policy !== 'object' || policy === null || !('bypass' in policy)) return policy;
  return { ...policy, bypass: toBdfs(policy.bypass) };
}

function toBdfs(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  return list.map((each: unknown) => (typeof each === 'string' ? (parseBdf(each) ?? each) : each));
}

/** Returns a policy with defaults for its missing keys. */
export function policyWithDefaults(policy: Partial<Policy>): Policy {
  return { ...DEFAULT_POLICY, ...policy };
}

/** Whether a policy sets a value of vSMMUs. Such a value must be compared with the host. */
export function setsVsmmuValues(policy: Policy): boolean {
  return CHOSEN_ATTRIBUTES.some((name) => policy[name] !== 'auto');
}

/** One key of the policy, as its schema describes it. */
export interface PolicyKeyInfo {
  readonly key: PolicyKey;
  readonly description: string;
  readonly default: Policy[PolicyKey];
  /** The possible values, if they can be listed. */
  readonly choices: readonly string[] | undefined;
  readonly kind: 'text' | 'number' | 'switch' | 'list';
}

interface SchemaProperty {
  readonly description: string;
  readonly default?: Policy[PolicyKey];
  readonly type?: string;
  readonly enum?: readonly (string | number)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly { readonly minimum?: number; readonly maximum?: number }[];
}

const PROPERTIES: Readonly<Record<string, SchemaProperty>> = schema.properties as Record<string, SchemaProperty>;

/** Returns every key of the policy, for the options of the command line and the table of the documentation. */
export function policyKeys(): readonly PolicyKeyInfo[] {
  const kinds: Record<string, PolicyKeyInfo['kind']> = { integer: 'number', boolean: 'switch', array: 'list' };
  return Object.entries(PROPERTIES)
    .filter(([key]) => key !== '$schema')
    .map(([key, property]) => ({
      key: key as PolicyKey,
      description: property.description,
      default: property.default as Policy[PolicyKey],
      choices: property.enum?.map(String),
      kind: kinds[property.type ?? ''] ?? 'text',
    }));
}

/**
 * Returns the policy with a key set to the value of an option.
 * @throws InputError `usage` if the value does not fit
 */
export function withOption(policy: Policy, key: PolicyKey, given: unknown, option: string): Policy {
  const value = key === 'bypass' ? toBdfs(given) : given;
  const changed = { ...policy, [key]: value };
  if (!validate({ [key]: value })) {
    throw new InputError(usage.value({ option, expected: describeValues(key), value: String(value) }));
  }
  return changed;
}

function describeValues(key: PolicyKey): string {
  const property = PROPERTIES[key];
  if (property?.enum) return property.enum.join(', ');
  if (key === 'spareMemory') return '0 or a size such as 128G';
  const range = property?.anyOf?.find(({ minimum }) => minimum !== undefined) ?? property;
  return range?.minimum !== undefined
    ? `${property?.anyOf ? 'auto or ' : ''}a number from ${range.minimum} to ${range.maximum}`
    : 'PCI addresses (dddd:bb:ss.f, or pci_dddd_bb_ss_f as libvirt names them)';
}
