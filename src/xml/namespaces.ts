import type { XmlAttribute } from './document.js';

export const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace';
const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/';

/**
 * The namespaces that these attributes declare, by prefix; the default namespace has the prefix ''. Undefined if there are none.
 * Like libxml2, it ignores declarations that Namespaces in XML 1.0 forbids: libvirt accepts them.
 */
export function declaredNamespaces(attributes: readonly XmlAttribute[]): ReadonlyMap<string, string> | undefined {
  let declared: Map<string, string> | undefined;
  for (const { name, value } of attributes) {
    if (!name.startsWith('xmlns') || (name.length > 5 && name[5] !== ':')) continue;
    const prefix = name.slice(6);
    if (prefix === 'xml' || prefix === 'xmlns' || (prefix !== '' && value === '')) continue;
    if (value === XML_NAMESPACE || value === XMLNS_NAMESPACE) continue;
    declared ??= new Map();
    declared.set(prefix, value);
  }
  return declared;
}
