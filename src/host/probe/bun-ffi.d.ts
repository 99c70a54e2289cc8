/** The part of Bun's foreign function interface that is used (Bun 1.4). */
declare module 'bun:ffi' {
  type Pointer = number & { readonly __unit: 'pointer' };
  export function dlopen(
    library: string,
    symbols: Readonly<Record<string, { readonly args: readonly string[]; readonly returns: string }>>,
  ): { readonly symbols: Readonly<Record<string, (...args: readonly unknown[]) => unknown>> };
  export function ptr(buffer: ArrayBufferView): Pointer;
  export const read: { i32(pointer: unknown, offset: number): number };
}
