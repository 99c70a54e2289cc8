import { expect, test } from 'vitest';
import { oncePer } from '../src/once-per.js';

test('A value is computed once per object, even if it is undefined', () => {
  let computed = 0;
  const nameOf = oncePer(({ name }: { readonly name: string | undefined }) => {
    computed++;
    return name;
  });
  const [nameless, named] = [{ name: undefined }, { name: 'vm' }];
  expect([nameOf(named), nameOf(nameless), nameOf(named), nameOf(nameless)]).toEqual([
    'vm',
    undefined,
    'vm',
    undefined,
  ]);
  expect(computed).toBe(2);
});

test('A changed copy of an object gets a value of its own', () => {
  const lengthOf = oncePer(({ name }: { readonly name: string }) => name.length);
  const original = { name: 'vm' };
  expect(lengthOf(original)).toBe(2);
  expect(lengthOf({ ...original, name: 'other' })).toBe(5);
});
