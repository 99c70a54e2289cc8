import { DiagnosedError } from '../diagnostics/errors.js';
import { parseXml, type XmlElement } from '../xml/document.js';
import { QEMU_NAMESPACE } from './overrides.js';

/** The text that replaces a secret. */
const MASK = '***';

/** A part of a text that is secret. */
interface Secret {
  readonly start: number;
  readonly end: number;
}

/** Names of settings whose values are secrets: `VNC_PASSWORD`, `api-key`, `data` of QEMU's `-object secret`. */
const SECRET_NAME =
  /pass(?:w(?:or)?d|phrase)|secret|token|credential|cookie|private|(?:^|[-_.])(?:api|auth|access)?[-_.]?key$/i;

/** Matches settings in a text, in the forms of QEMU's options and of JSON: `name=value`, `"name": "value"`. */
const SETTING =
  /([\w.-]+)=((?:[^,\s"'&]|,,)+)|"\s*([\w.-]+)"\s*:\s*"\s*([^"]+)"|(io\.systemd\.credential(?:\.binary)?:[^=]*)=(.+)/dg;

/**
 * Masks the secrets in a domain's XML, so that it can be shown: what libvirt omits from a dump without VIR_DOMAIN_XML_SECURE
 * (`passwd` of graphics, values of `<cookie>`; domain_conf.c of 12.8), and values of `<qemu:env>`, `<qemu:arg>`,
 * `<qemu:property>` and `<sysinfo>` that look like secrets. The number of lines does not change.
 */
export function maskSecrets(xml: string): string {
  let masked = '';
  let from = 0;
  for (const { start, end } of secretsOf(xml)) {
    masked += xml.slice(from, start) + maskOf(xml.slice(start, end));
    from = end;
  }
  return maskComments(masked + xml.slice(from));
}

function maskOf(secret: string): string {
  return MASK + secret.replace(/[^\n]/g, '');
}

/** Masks secrets inside comments, whose elements the parser does not read. */
function maskComments(xml: string): string {
  return xml
    .replace(/\b(passw(?:or)?d\s*=\s*)("[^"]*"|'[^']*')/g, (_, name: string, value: string) => {
      return `${name}${value[0]}${maskOf(value.slice(1, -1))}${value[0]}`;
    })
    .replace(/(<cookie\b[^>]*>)([^<]+)(?=<\/cookie)/g, (_, tag: string, value: string) => tag + maskOf(value));
}

function secretsOf(xml: string): readonly Secret[] {
  try {
    const { root } = parseXml(xml);
    return [...secretsBelow(root, xml)];
  } catch (error) {
    // Text that is not XML has no elements.
    if (error instanceof DiagnosedError) return [];
    throw error;
  }
}

function* secretsBelow(element: XmlElement, xml: string): Generator<Secret> {
  if (element.localName === 'cookie' || isSecretEntry(element)) yield* textOf(element);
  else if (element.localName === 'entry' && element.children.length === 0) {
    yield* secretsInText(xml, element.openEnd, element.closeStart);
  }
  let before: XmlElement | undefined;
  for (const child of element.children) {
    yield* secretsOfTag(child, before, xml);
    yield* secretsBelow(child, xml);
    before = child;
  }
}

function* secretsOfTag(element: XmlElement, before: XmlElement | undefined, xml: string): Generator<Secret> {
  const isQemu = element.namespace === QEMU_NAMESPACE;
  const name = element.attribute('name');
  for (const attribute of element.attributes) {
    const { valueStart: start, valueEnd: end } = attribute;
    if (/^passw(or)?d$/.test(attribute.name)) yield { start, end };
    else if (!isQemu || attribute.name !== 'value') continue;
    else if (name === undefined ? isSecretOption(before) : SECRET_NAME.test(name)) yield { start, end };
    else yield* secretsInText(xml, start, end);
  }
}

/** Whether an argument of QEMU's command line is an option such as `-password`, whose value is the next argument. */
function isSecretOption(argument: XmlElement | undefined): boolean {
  const option = argument?.attribute('value');
  return option !== undefined && /^-[^=,]*$/.test(option) && SECRET_NAME.test(option);
}

function isSecretEntry(element: XmlElement): boolean {
  return element.localName === 'entry' && SECRET_NAME.test(element.attribute('name') ?? '');
}

function* textOf({ openEnd, closeStart, children }: XmlElement): Generator<Secret> {
  if (children.length === 0 && closeStart > openEnd) yield { start: openEnd, end: closeStart };
}

function* secretsInText(xml: string, start: number, end: number): Generator<Secret> {
  const text = xml.slice(start, end).replaceAll('&quot;', '"     ');
  for (const { 1: option, 3: key, 5: credential, indices } of text.matchAll(SETTING)) {
    const name = option ?? key ?? credential ?? '';
    const at = indices?.[option !== undefined ? 2 : key !== undefined ? 4 : 6];
    // In `-object secret,id=…,data=…`, the value of `data` is a secret.
    const isData = name === 'data' && text.includes('secret');
    if (at && (isData || SECRET_NAME.test(name))) yield { start: start + at[0], end: start + at[1] };
  }
}
