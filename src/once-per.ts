/**
 * Returns a function that computes a value from an object only once, and keeps it in the object. It does not use a
 * WeakMap: if a value refers to its own key, V8 would keep both until the next full collection.
 */
export function oncePer<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const property = Symbol(compute.name);
  return (key: Key & { readonly [property]?: { readonly value: Value } }) => {
    const known = key[property];
    if (known) return known.value;
    const value = compute(key);
    // Not enumerable, so that a copy of the object does not get the value too.
    Object.defineProperty(key, property, { value: { value } });
    return value;
  };
}
