/** The results of a run: each test adds lines, and the run prints them all at its end. */
import type { Test } from '@vitest/runner';
import type { TestModule } from 'vitest/node';
import { testFiles } from './stamp.js';

declare module 'vitest' {
  interface TaskMeta {
    proven?: string[];
  }
}

/** Says that a test has shown something. */
export function proves(task: Readonly<Test>, line: string): void {
  task.meta.proven = [...(task.meta.proven ?? []), line];
}

/** Every line of the tests that passed. */
export function shown(modules: readonly TestModule[]): string[] {
  return modules
    .flatMap((module) => [...module.children.allTests('passed')])
    .flatMap((test) => test.meta().proven ?? []);
}

/** Whether it was a run of all there is, and all of it passed. */
export function allPassed(modules: readonly TestModule[]): boolean {
  const files = new Set(modules.map((module) => module.moduleId));
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  return testFiles().every((file) => files.has(file)) && tests.every((test) => test.result().state === 'passed');
}
