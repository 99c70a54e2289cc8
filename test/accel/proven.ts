/** The results of a run: each test adds lines, and the run prints all lines at its end. */
import type { Test } from '@vitest/runner';
import type { TestModule } from 'vitest/node';
import { testFiles } from './stamp.js';

declare module 'vitest' {
  interface TaskMeta {
    proven?: string[];
  }
}

/** Adds a line with what a test has shown. */
export function proves(task: Readonly<Test>, line: string): void {
  task.meta.proven = [...(task.meta.proven ?? []), line];
}

/** Returns the lines of the tests that passed. */
export function shown(modules: readonly TestModule[]): string[] {
  return modules
    .flatMap((module) => [...module.children.allTests('passed')])
    .flatMap((test) => test.meta().proven ?? []);
}

/** Returns whether all tests of this lab ran and passed. */
export function allPassed(modules: readonly TestModule[]): boolean {
  const files = new Set(modules.map((module) => module.moduleId));
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  return testFiles().every((file) => files.has(file)) && tests.every((test) => test.result().state === 'passed');
}
