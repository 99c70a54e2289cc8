import type { Domain } from '../domain/domain.js';
import type { DomainRecord } from '../generated/metadata.js';
import { below, find } from './path.js';
import { isSame } from './places.js';

/** What a record says that is no longer so, in words: others changed it since, and a revert will leave it as they did. */
export function staleEntries({ document: { root } }: Domain, { changed }: DomainRecord): readonly string[] {
  return changed.flatMap(({ element: path, added, attributes }) => {
    const element = find(root, path);
    if (!element) return [`${path} is no longer there`];
    const gone = added.map((step) => below(path, step)).filter((child) => !find(root, child));
    const edited = Object.entries(attributes).filter(([key, { now }]) => {
      const [child = '', name = ''] = key.split(/\.(.*)/s);
      const target = child === 'self' ? element : element.child(child);
      return !isSame(target?.attribute(name), now);
    });
    return [
      ...gone.map((child) => `${child}, which vsmmu added, is no longer there`),
      ...edited.map(([key]) => `${key} of ${path} was changed again`),
    ];
  });
}
