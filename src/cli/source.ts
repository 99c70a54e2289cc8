import { existsSync } from 'node:fs';
import { EnvironmentError, InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import type { Connection, DomainUuid } from '../libvirt/connection.js';
import { isRemote } from '../libvirt/uri.js';
import { nameOfInput, readInput } from './io/files.js';
import { say } from './io/terminal.js';
import { type OptionValues, value } from './options.js';

/** A domain as it was read. */
export interface Source {
  /** Its name in diagnostics: its file, `<stdin>`, or the domain's name in libvirt. */
  readonly name: string;
  readonly input: Uint8Array;
  /** The file that it was read from. */
  readonly file?: string;
  /** Its UUID, if it comes from libvirt. */
  readonly uuid?: DomainUuid;
}

/** How to read a domain. */
export interface ReadOptions {
  /** The name to report for a file, if other than its path. */
  readonly name?: string;
  /** For a domain of libvirt: the live definition, if it is running. Default: the definition of its next start. */
  readonly live?: boolean;
  /** For a domain of libvirt: include its passwords. Defining XML without them would remove them. */
  readonly security?: boolean;
}

/** The source of the domains of a command line: files and standard input, or libvirt with `--connect`. */
export class Sources {
  readonly #connection: Connection | undefined;

  private constructor(connection: Connection | undefined) {
    this.#connection = connection;
  }

  static async of(options: OptionValues): Promise<Sources> {
    const uri = value(options, 'connect');
    if (uri === undefined) return new Sources(undefined);
    const { openLibvirt } = await import('../libvirt/connection.js');
    return new Sources(openLibvirt(uri));
  }

  /** @throws DiagnosedError if it does not exist or cannot be read */
  async read(
    operand: string,
    { name: called = nameOfInput(operand), live = false, security = false }: ReadOptions = {},
  ): Promise<Source> {
    const connection = this.#connection;
    if (!connection) return { name: called, file: operand, input: await readFileOperand(operand) };
    const { uuid, name } = await connection.find(operand);
    const xml = await connection.dumpXml(uuid, { inactive: !live, security });
    return { name, uuid, input: Buffer.from(xml) };
  }

  /** Returns the UUIDs of all domains of the libvirt; without `--connect`, `-` for standard input. */
  async all(): Promise<readonly string[]> {
    return this.#connection ? (await this.#connection.list()).map(({ uuid }) => uuid) : ['-'];
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }
}

/**
 * Reads a file or standard input.
 * @throws EnvironmentError `file-unreadable`, with a hint if the operand is the name of a domain of the local libvirt
 */
async function readFileOperand(operand: string): Promise<Uint8Array> {
  if (operand === '-' && process.stdin.isTTY) say('vsmmu: reading the domain from standard input; Ctrl-D ends it\n');
  try {
    return await readInput(operand);
  } catch (error) {
    if (!(error instanceof EnvironmentError) || operand.includes('/') || existsSync(operand)) throw error;
    const uri = process.env.LIBVIRT_DEFAULT_URI || 'qemu:///system';
    const { hasDomain } = await import('../libvirt/local-domain.js');
    if (isRemote(uri) || !(await hasDomain(uri, operand))) throw error;
    const hint = `libvirt has a domain of this name: add --connect ${uri}`;
    throw new EnvironmentError(error.diagnostics.map((d) => ({ ...d, hint })));
  }
}

/** Reads the one domain of a command line. */
export async function readSource(operand: string, options: OptionValues, how?: ReadOptions): Promise<Source> {
  const sources = await Sources.of(options);
  try {
    return await sources.read(operand, how);
  } finally {
    await sources.close();
  }
}

/**
 * Ensures that the host that is read is the one that the domain is on.
 * @throws InputError `usage` if libvirt is on another machine and its topology is not given
 */
export function requireMatchingHost(options: OptionValues): void {
  const uri = value(options, 'connect');
  if (uri === undefined || !isRemote(uri)) return;
  if (value(options, 'topology') !== undefined || value(options, 'sysfs') !== undefined) return;
  throw new InputError(
    usage.otherMachine({
      uri,
      hint: 'run vsmmu topology --json there, and give its output with --topology',
    }),
  );
}
