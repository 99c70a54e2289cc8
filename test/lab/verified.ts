import { expect } from 'vitest';
import type { Result } from './process.js';

/** The checks of `vsmmu verify --json` that do not pass, each with its codes. */
export function nonPassing({ code, stdout, stderr }: Result): Readonly<Record<string, string[]>> {
  expect(stderr).toBe('');
  const { verified, checks } = JSON.parse(stdout) as {
    readonly verified: boolean;
    readonly checks: readonly { of: string; title: string; grade: string; codes: string[] }[];
  };
  expect(code).toBe(verified ? 0 : 1);
  const wrong = checks.filter(({ grade }) => grade !== 'pass');
  return Object.fromEntries(wrong.map(({ of, title, codes }) => [`${of}: ${title}`, [...new Set(codes)]]));
}
