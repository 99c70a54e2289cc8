/** Folders of domains, and functions that run `vsmmu batch` on them as a user would. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY, type Run, temporaryFolder, vsmmu } from './run.js';

/** The host of the sample's topology. */
export const HOST = join(REPOSITORY, 'samples/hosts/host-a.json');
export const SAMPLE = join(REPOSITORY, 'samples/domains/ml-train.xml');
/** A domain that can be converted for `HOST`. */
export const text = readFileSync(SAMPLE, 'utf8');
/** The same domain, converted. */
export const converted = vsmmu(['rewrite', '--topology', HOST, SAMPLE]).stdout;

/** A folder of files, and a state folder. */
export interface Sandbox {
  readonly folder: string;
  readonly state: string;
  batch(...args: readonly string[]): Run;
  read(file: string): string;
}

export function sandbox(files: Readonly<Record<string, string>>): Sandbox {
  const top = temporaryFolder();
  const folder = join(top, 'in');
  const state = join(top, 'state');
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    writeFileSync(join(folder, file), content);
  }
  return {
    folder,
    state,
    batch: (command, ...args) => vsmmu(['batch', command ?? '', '--state', state, ...args]),
    read: (file) => readFileSync(join(folder, file), 'utf8'),
  };
}

/** The arguments of a dry run on the folder. */
export const convert = ({ folder }: Sandbox): string[] => ['convert', '--dir', folder, '--topology', HOST];

/** The verdict for each domain, by its file, as `--json` reports it. */
export const verdicts = (run: Run): Record<string, string> =>
  Object.fromEntries(
    (JSON.parse(run.stdout) as { domains: { id: string; verdict: string }[] }).domains.map((d) => [d.id, d.verdict]),
  );
