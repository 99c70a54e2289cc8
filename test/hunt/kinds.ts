import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { maskSecrets } from '../../src/domain/secrets.js';
import { revert } from '../../src/edit/undo/revert.js';
import {
  check,
  DEFAULT_POLICY,
  DiagnosedError,
  parseDomain,
  plan,
  readTopology,
  rewrite,
  scanHost,
} from '../../src/index.js';
import { readPolicy } from '../../src/policy/policy.js';
import { complaint } from '../xml/libxml2.js';
import { mutate } from './mutate.js';

/** Kinds of input to change; domains more often than the others. */
export const KINDS = [
  'domain',
  'domain',
  'domain',
  'domain',
  'record',
  'record',
  'snapshot',
  'policy',
  'sysfs',
] as const;
export type Kind = (typeof KINDS)[number];

/** A crash, a call over the limit, or accepted input that is not XML. */
export interface Failure {
  readonly what: string;
}

/** The inputs to change. */
export interface Bases {
  readonly domains: readonly string[];
  readonly hosts: readonly string[];
  readonly policies: readonly string[];
  /** A writable copy of a /sys. */
  readonly sysfs: string;
}

export class Hunt {
  readonly #bases: Bases;
  readonly #converted: readonly string[];
  readonly #host: ReturnType<typeof readTopology>;
  readonly #sysfsFiles: readonly string[];

  /** @param limit how many milliseconds an input may take */
  constructor(
    bases: Bases,
    private readonly limit: number,
  ) {
    this.#bases = bases;
    const [host = ''] = bases.hosts.filter((text) => text.includes('0000:31:10.2'));
    this.#host = readTopology(host, 'host.json');
    const converted = bases.domains.flatMap((xml) => this.#convert(xml));
    this.#converted = converted;
    this.#sysfsFiles = filesBelow(bases.sysfs);
  }

  /** Returns the domain with a record, or nothing if it cannot be converted for the host. */
  #convert(xml: string): string[] {
    try {
      const domain = parseDomain(xml);
      const after = rewrite(domain, plan(domain, this.#host, DEFAULT_POLICY).plan);
      return after.includes('<vsmmu:placement') ? [after] : [];
    } catch (error) {
      if (error instanceof DiagnosedError) return [];
      throw error;
    }
  }

  /** Tries one input. */
  try(kind: Kind, random: () => number): Failure | undefined {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    switch (kind) {
      case 'domain':
        return this.#domain(mutate(pick(this.#bases.domains), random));
      case 'record': {
        const xml = pick(this.#converted);
        const start = xml.indexOf('<vsmmu:placement');
        return this.#domain(mutate(xml, random, start, xml.indexOf('</metadata>', start)));
      }
      case 'snapshot':
        return this.#timed(() => this.#place(readTopology(mutate(pick(this.#bases.hosts), random), 'host.json')));
      case 'policy': {
        const text = mutate(pick(this.#bases.policies), random);
        return this.#timed(() => {
          const domain = parseDomain(this.#bases.domains[0] ?? '');
          plan(domain, this.#host, readPolicy(text, 'policy.json'));
        });
      }
      case 'sysfs':
        return this.#sysfs(pick(this.#sysfsFiles), random);
    }
  }

  #domain(xml: string): Failure | undefined {
    let accepted = false;
    let after = '';
    const failure =
      this.#timed(() => {
        parseDomain(xml);
        accepted = true;
      }) ??
      this.#timed(() => check(parseDomain(xml), this.#host)) ??
      this.#timed(() => {
        const domain = parseDomain(xml);
        after = rewrite(domain, plan(domain, this.#host, DEFAULT_POLICY).plan);
        parseDomain(after);
      }) ??
      this.#timed(() => revert(parseDomain(xml), { force: true })) ??
      this.#timed(() => revert(parseDomain(after))) ??
      this.#timed(() => maskSecrets(xml));
    if (failure || !accepted) return failure;
    const wrong = complaint(xml) ?? (after === '' ? undefined : complaint(after));
    return wrong === undefined ? undefined : { what: `libxml2 refuses what was accepted: ${wrong}` };
  }

  #place(host: ReturnType<typeof readTopology>): void {
    const domain = parseDomain(this.#bases.domains[0] ?? '');
    check(domain, host);
    plan(domain, host, DEFAULT_POLICY);
  }

  /** Changes a file or link of the tree, scans the host, and restores the file. */
  #sysfs(file: string, random: () => number): Failure | undefined {
    const isLink = lstatSync(file).isSymbolicLink();
    const content = isLink ? readlinkSync(file) : readFileSync(file);
    try {
      rmSync(file);
      const changed = mutate(content.toString(), random).replaceAll('\u0000', '');
      if (isLink && changed !== '') symlinkSync(changed, file);
      else if (random() < 0.1) mkdirSync(file);
      else writeFileSync(file, changed);
      return this.#timed(() => this.#place(scanHost(this.#bases.sysfs)));
    } catch (error) {
      // The file system does not accept the name.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      return undefined;
    } finally {
      rmSync(file, { recursive: true, force: true });
      if (typeof content === 'string') symlinkSync(content, file);
      else writeFileSync(file, content);
    }
  }

  /** Runs a call that may refuse its input. Returns any other error, or the time if it is over the limit. */
  #timed(action: () => unknown): Failure | undefined {
    for (let attempt = 1; ; attempt++) {
      const start = performance.now();
      try {
        action();
      } catch (error) {
        if (!(error instanceof DiagnosedError))
          return { what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
      }
      const took = performance.now() - start;
      if (took < this.limit) return undefined;
      // Tries again, because another process may have used the CPU.
      if (attempt === 3) return { what: `it took ${Math.round(took)} ms` };
    }
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}
