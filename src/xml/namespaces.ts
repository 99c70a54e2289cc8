import { decodeAttributeValue } from './characters.js';
import { brief, fail } from './source.js';
import type { RawAttribute } from './start-tag.js';

const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

/**
 * URI references (RFC 3986) that libxml2 takes: with a scheme, or relative without a colon in the first segment. It reports any
 * other namespace as an error, though it goes on.
 */
const URI = (() => {
  const pchar = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
  const segment = `${pchar}*`;
  const host = "(?:\\[[0-9A-Fa-f:.]+\\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)";
  const authority = `//(?:(?:${pchar.replace('@', '')})*@)?${host}(?::[0-9]{1,5})?(?:/${segment})*`;
  const path = `/?(?:${pchar}${segment}(?:/${segment})*)?`;
  const relative = `(?:/(?!/)|(?![^/?#]*:))${path}`;
  const rest = `(?:\\?(?:${pchar}|[/?])*)?(?:#(?:${pchar}|[/?])*)?`;
  return new RegExp(`^(?:[A-Za-z][A-Za-z0-9+.-]*:(?:${authority}|${path})|${authority}|${relative})${rest}$`);
})();

/** The namespace declarations in force at an element: its own, and those around it. */
export interface Scope {
  readonly outer: Scope | undefined;
  /** Prefix to namespace; the default namespace has the prefix ''. */
  readonly declared: ReadonlyMap<string, string>;
}

/** What holds outside the root. */
export const NO_SCOPE: Scope = {
  outer: undefined,
  declared: new Map([
    ['', ''],
    ['xml', XML_NAMESPACE],
  ]),
};

/**
 * The scope of an element with these attributes: the outer one itself where they declare nothing.
 * @throws InputError a declaration that Namespaces in XML 1.0 forbids
 */
export function openScope(text: string, attributes: readonly RawAttribute[], outer: Scope): Scope {
  let declared: Map<string, string> | undefined;
  for (const attribute of attributes) {
    const { name, start } = attribute;
    if (!name.startsWith('xmlns')) continue;
    if (name !== 'xmlns' && name[5] !== ':') continue;
    const prefix = name.slice(6);
    const namespace = decodeAttributeValue(text.slice(attribute.valueStart, attribute.valueEnd));
    checkDeclaration(text, start, prefix, namespace);
    declared ??= new Map();
    declared.set(prefix, namespace);
  }
  return declared === undefined ? outer : { outer, declared };
}

/**
 * The namespace of a name of the document, '' for none.
 * @throws InputError its prefix is not declared
 */
export function namespaceOf(text: string, name: string, start: number, scope: Scope): string {
  const colon = name.indexOf(':');
  const prefix = colon === -1 ? '' : name.slice(0, colon);
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const namespace = at.declared.get(prefix);
    if (namespace !== undefined) return namespace;
  }
  fail(text, start, `the prefix of ${name} is not declared (xmlns:${prefix}='…')`);
}

/**
 * Checks the attributes' prefixes, and that no two are the same name of the same namespace.
 * @throws InputError
 */
export function checkAttributeNamespaces(text: string, attributes: readonly RawAttribute[], scope: Scope): void {
  let seen: Set<string> | undefined;
  for (const { name, start } of attributes) {
    const colon = name.indexOf(':');
    if (colon === -1 || name.startsWith('xmlns:')) continue;
    const expanded = `${name.slice(colon + 1)} ${namespaceOf(text, name, start, scope)}`;
    seen ??= new Set();
    if (seen.has(expanded))
      fail(text, start, `the attribute ${name} is there twice, under two prefixes of one namespace`);
    seen.add(expanded);
  }
}

function checkDeclaration(text: string, start: number, prefix: string, namespace: string): void {
  const refuse = (why: string): never =>
    fail(text, start, `xmlns${prefix && `:${prefix}`}='${brief(namespace)}': ${why}`);
  if (prefix === 'xmlns') refuse('the prefix xmlns cannot be declared');
  if (namespace === XMLNS_NAMESPACE) refuse('this namespace belongs to the prefix xmlns');
  if (prefix === 'xml') {
    if (namespace !== XML_NAMESPACE) refuse('the prefix xml has a fixed namespace');
  } else if (namespace === XML_NAMESPACE) refuse('this namespace belongs to the prefix xml');
  else if (namespace !== '' && !URI.test(namespace)) refuse('a namespace is a URI');
  else if (prefix !== '' && namespace === '') refuse('a prefix cannot be declared for no namespace');
}
