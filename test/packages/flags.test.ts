import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bunFor, ownArchitecture } from '../../bin/build/bun.js';
import { COMPILE_OPTIONS } from '../../bin/build/executable.js';
import { output, type Run, run, temporaryFolder } from './packages.js';

type CompileOption = (typeof COMPILE_OPTIONS)[number];

/** A small program, compiled with some options in its own folder. */
class Program {
  readonly folder = temporaryFolder();
  readonly path = join(this.folder, 'out/program');

  constructor(files: Readonly<Record<string, string>>, options: readonly string[]) {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
    mkdirSync(join(this.folder, 'out'));
    const entries = Object.keys(files).filter((name) => /^(main|other)\.ts$/.test(name));
    const built = this.#bun(['build', '--compile', ...options, ...entries, '--outfile', this.path]);
    if (built.code !== 0) throw new Error(built.stderr);
  }

  /** Starts it in a folder with these files, which did not exist when it was compiled, and returns its output. */
  output(there: Readonly<Record<string, string>> = {}, env: NodeJS.ProcessEnv = {}): string {
    const cwd = temporaryFolder();
    for (const [name, text] of Object.entries(there)) writeFileSync(join(cwd, name), text);
    return output([this.path], { cwd, env: { PATH: '/usr/bin:/bin', ...env } });
  }

  /** Returns how often the executable contains a text. */
  count(text: string): number {
    return readFileSync(this.path).toString('latin1').split(text).length - 1;
  }

  get size(): number {
    return statSync(this.path).size;
  }

  #bun(args: readonly string[]): Run {
    return run([bunFor(ownArchitecture()), ...args], { cwd: this.folder, env: { PATH: '/usr/bin:/bin' } });
  }
}

const without = (option: CompileOption): string[] => COMPILE_OPTIONS.filter((each) => each !== option);

/** Returns a program compiled with all options, and compiled with all except one. */
function bothWays(option: CompileOption, files: Readonly<Record<string, string>>): [Program, Program] {
  return [new Program(files, COMPILE_OPTIONS), new Program(files, without(option))];
}

/** Bun ignores unknown options, so the tests show that each option has an effect. */
describe('the options that the executable is compiled with', () => {
  const tried: string[] = [];
  const effect = (option: CompileOption, what: string, test: () => void): void => {
    tried.push(option);
    it(`${option}: ${what}`, test);
  };

  // Files are padded to whole pages, so the effect on the size needs many functions.
  const functions = Array.from(
    { length: 600 },
    (_, i) => `export const sum${i} = (n: number) => n * ${i} + process.pid;`,
  );

  effect('--bytecode', 'adds the bytecode', () => {
    const [program, other] = bothWays('--bytecode', { 'main.ts': functions.join('\n') });
    expect(program.size).toBeGreaterThan(other.size);
  });

  effect('--format=esm', 'allows await at the top', () => {
    const files = { 'main.ts': 'console.log(await Promise.resolve("x"));' };
    const alone = (options: readonly string[]): string[] => options.filter((each) => each !== '--splitting');
    expect(new Program(files, alone(COMPILE_OPTIONS)).output()).toBe('x\n');
    expect(() => new Program(files, alone(without('--format=esm')))).toThrow(/"await" can only be used/);
  });

  effect('--minify', 'shortens names', () => {
    const [program, other] = bothWays('--minify', {
      'main.ts': 'function longNameOfAFunction() { return process.pid; }\nconsole.log(longNameOfAFunction());',
    });
    expect([program.count('longNameOfAFunction') > 0, other.count('longNameOfAFunction') > 0]).toEqual([false, true]);
  });

  effect('--splitting', 'stores code that two programs share only once', () => {
    const [program, other] = bothWays('--splitting', {
      'main.ts': "import { shared } from './shared';\nconsole.log(shared());",
      'other.ts': "import { shared } from './shared';\nconsole.log(shared(), 2);",
      'shared.ts': 'export const shared = () => "a text that " + process.pid + " shares";',
    });
    expect(program.count(' shares')).toBeLessThan(other.count(' shares'));
  });

  effect('--compile-jit-policy=100', 'compiles less of a short run', () => {
    const main = `import { numberOfDFGCompiles } from 'bun:jsc';
let sum = 0;
function add(n: number) { for (let i = 0; i < 10; i++) sum += i * n; }
for (let i = 0; i < 5000; i++) add(i);
console.log(numberOfDFGCompiles(add) > 0, sum > 0);`;
    const [program, other] = bothWays('--compile-jit-policy=100', { 'main.ts': main });
    // Without this, another thread compiles at an unpredictable time.
    const env = { BUN_JSC_useConcurrentJIT: '0' };
    expect([program.output({}, env), other.output({}, env)]).toEqual(['false true\n', 'true true\n']);
  });

  effect('--no-compile-autoload-dotenv', 'ignores .env', () => {
    const [program, other] = bothWays('--no-compile-autoload-dotenv', {
      'main.ts': 'console.log(process.env.FROM_FILE ?? "none");',
    });
    const there = { '.env': 'FROM_FILE=file\n' };
    expect([program.output(there), other.output(there)]).toEqual(['none\n', 'file\n']);
  });

  effect('--no-compile-autoload-bunfig', 'ignores bunfig.toml', () => {
    const [program, other] = bothWays('--no-compile-autoload-bunfig', { 'main.ts': 'console.log("main");' });
    const there = { 'bunfig.toml': 'preload = ["./before.js"]\n', 'before.js': 'console.log("before");' };
    expect([program.output(there), other.output(there)]).toEqual(['main\n', 'before\nmain\n']);
  });

  // Bun's default is the same today, so the tests compare each option with its opposite.
  effect('--no-compile-autoload-tsconfig', 'ignores tsconfig.json', () => {
    const opposite = ['--compile-autoload-tsconfig'];
    const files = { 'main.ts': importing('alias') };
    const there = { 'tsconfig.json': '{ "compilerOptions": { "paths": { "alias": ["./other.js"] } } }', ...OTHER };
    const programs = [[...COMPILE_OPTIONS], [...without('--no-compile-autoload-tsconfig'), ...opposite]];
    expect(programs.map((options) => new Program(files, options).output(there))).toEqual(['none\n', 'other\n']);
  });

  effect('--no-compile-autoload-package-json', 'ignores package.json', () => {
    const opposite = ['--compile-autoload-package-json'];
    const files = { 'main.ts': importing('#alias') };
    const there = { 'package.json': '{ "name": "other", "imports": { "#alias": "./other.js" } }', ...OTHER };
    const programs = [[...COMPILE_OPTIONS], [...without('--no-compile-autoload-package-json'), ...opposite]];
    expect(programs.map((options) => new Program(files, options).output(there))).toEqual(['none\n', 'other\n']);
  });

  it('--bytecode-order: puts the bytecode in another order', () => {
    const main = functions.map((text) => text.replace('export ', '')).join('\n');
    const files = { 'main.ts': `${main}\nconsole.log(process.argv.length > 9 ? sum1(1) : sum500(1) - sum500(1));` };
    const program = new Program(files, COMPILE_OPTIONS);
    const order = join(program.folder, 'order');
    program.output({}, { BUN_BYTECODE_ORDER_OUT: order });
    const ordered = new Program(files, [...COMPILE_OPTIONS, `--bytecode-order=${order}`]);
    expect(ordered.output()).toBe(program.output());
    expect(readFileSync(ordered.path).equals(readFileSync(program.path))).toBe(false);
  });

  it('are all tested here', () => {
    expect(tried.sort()).toEqual([...COMPILE_OPTIONS].sort());
  });
});

/** A program that imports a module whose name the compiler does not know. */
const importing = (name: string): string =>
  `const name = process.argv[9] ?? '${name}';\nconsole.log(await import(name).then((it) => it.default, () => 'none'));`;

const OTHER = { 'other.js': 'export default "other";' };
