/** Counts the work of a run: each test counts on its task, and the last line of a run has the sums. */
import type { TestModule } from 'vitest/node';

export interface Counts {
  /** Domains that `virsh define --validate` accepted after rewriting. */
  readonly defined?: number;
  /** Command lines of libvirt that were compared with a plan. */
  readonly compared?: number;
  /** Guests that booted and reported. */
  readonly booted?: number;
  /** Domains that were saved and restored. */
  readonly restored?: number;
}

declare module 'vitest' {
  interface TaskMeta {
    lab?: Counts;
  }
}

const words: readonly (readonly [keyof Counts, string])[] = [
  ['defined', 'domains defined'],
  ['compared', 'command lines compared'],
  ['booted', 'guests booted'],
  ['restored', 'domains saved and restored'],
];

/** The sums over all tests of a run. */
export function sumUp(modules: readonly TestModule[]): string {
  const counts = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.meta().lab ?? {}));
  const sum = (key: keyof Counts): number => counts.reduce((total, each) => total + (each[key] ?? 0), 0);
  return words.map(([key, text]) => `${sum(key)} ${text}`).join(', ');
}
