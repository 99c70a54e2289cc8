import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

const OTHER_COMMANDS = [
  'check',
  'complete',
  'explain',
  'on-define',
  'picture',
  'plan',
  'revert',
  'rewrite',
  'terminal',
  'usage',
]
  .map((command) => `test/cli/${command}`)
  .join(' ');

/** The tests that cover the source files: groups of paths, the fastest first. */
const GROUPS: readonly (readonly [file: RegExp, ...groups: readonly string[]])[] = [
  [/^src\/xml\//, 'test/xml', 'test/edit test/domain'],
  [/^src\/domain\//, 'test/domain test/cli/check', 'test/golden test/plan test/check'],
  [/^src\/host\//, 'test/host test/cli/doctor', 'test/golden test/plan'],
  [/^src\/guest\//, 'test/guest test/cli/picture test/cli/plan', 'test/golden'],
  [/^src\/policy\//, 'test/policy test/cli/usage', 'test/golden test/plan'],
  [/^src\/plan\/undo\//, 'test/edit', 'test/golden test/cli/revert'],
  [/^src\/plan\//, 'test/plan', 'test/golden test/cli/usage'],
  [/^src\/check\//, 'test/check test/cli/check', 'test/golden'],
  [/^src\/edit\//, 'test/golden', 'test/edit test/cli/revert'],
  [/^src\/io\//, 'test/io test/libvirt/hook-file', 'test/batch test/cli/rewrite'],
  [/^src\/libvirt\//, 'test/libvirt test/io', 'test/cli/define test/cli/hook test/cli/doctor', 'test/batch'],
  [/^src\/batch\//, 'test/batch', 'test/cli/batch'],
  [/^src\/verify\//, 'test/verify', 'test/cli/verify'],
  [/^src\/doctor\//, 'test/cli/doctor'],
  [/^src\/diagnostics\//, 'test/diagnostics test/cli/explain test/check', 'test/golden test/plan'],
  [/^src\/cli\/(commands|render)\/batch|^src\/cli\/batch/, 'test/cli/batch', 'test/batch'],
  [/^src\/cli\/.*(hook|start)/, 'test/cli/hook test/libvirt/hook-file', 'test/cli/rewrite test/cli/usage'],
  [/^src\/cli\/.*(doctor|topology)/, 'test/cli/doctor test/cli/topology test/cli/usage', 'test/golden test/host'],
  [/^src\/cli\/.*verify/, 'test/cli/verify', 'test/cli/usage'],
  [
    /^src\/cli\/.*(edit|ask|define|files|diff)/,
    'test/cli/define test/cli/rewrite test/cli/edit',
    'test/golden test/io',
  ],
  [/^src\//, OTHER_COMMANDS, 'test/golden test/readme test/library test/json test/escape test/nearest'],
];

/** The groups of test paths that cover a source file. */
export function testsOf(file: string): string[] {
  const [, ...groups] = GROUPS.find(([pattern]) => pattern.test(file)) ?? [/$/, 'test'];
  // Commands use every folder.
  groups.push('test/cli test/convert');
  const own = `${file.replace('src/', 'test/').replace(/\.ts$/, '')}.test.ts`;
  const isNested = own.split('/').length > 3;
  return [own, ...(isNested ? [dirname(own)] : [])].filter(existsSync).concat(groups);
}
