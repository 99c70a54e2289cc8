import { randomBytes } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, InputError } from '../diagnostics/errors.js';
import { fileUnwritable } from '../diagnostics/files.js';
import { domainUnknown, libvirtRefused, libvirtUnreachable } from '../diagnostics/libvirt.js';
import { describeIoError } from '../io/errors.js';
import { type Answer, Virsh, VirshUnavailable } from './virsh.js';

/**
 * A domain's UUID, lower-case with dashes. Domains are addressed by it, since a name may look like an ID or an option.
 */
export type DomainUuid = string & { readonly brand: 'DomainUuid' };

/** The state of a domain. `other`: crashed, dying, suspended. */
export type DomainState = 'running' | 'paused' | 'shutoff' | 'other';

/** A domain of a connection. */
export interface DomainEntry {
  readonly uuid: DomainUuid;
  readonly name: string;
  readonly state: DomainState;
  /** Whether it has a persistent definition. */
  readonly persistent: boolean;
  /** Whether it has a managed save, from which its next start resumes. */
  readonly managedSave: boolean;
  /** Whether it has libvirt snapshots of any kind; see `snapshotsWithMemory` for those with memory. */
  readonly snapshots: boolean;
}

/** Options of a connection. */
export interface ConnectionOptions {
  /** The time limit of one command, in seconds; default: 120. */
  readonly limitSeconds?: number;
  /** How long to wait for a libvirtd that restarts, in seconds; default: 30. */
  readonly restartSeconds?: number;
  /** An open file that virsh inherits: a lock on it lasts until virsh has ended, even if this process is killed. */
  readonly held?: number | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Converts a UUID that libvirt printed. */
export function domainUuid(uuid: string): DomainUuid {
  return uuid as DomainUuid;
}

/** Converts a UUID, in any case and with or without dashes, to libvirt's form; returns undefined for any other text. */
export function parseUuid(text: string): DomainUuid | undefined {
  const digits = text.toLowerCase().replaceAll('-', '');
  const dashed = digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return UUID.test(dashed) ? domainUuid(dashed) : undefined;
}

/** Messages of a libvirt client that lost the connection to its daemon (12.8). */
const LOST =
  /^(Disconnected from|Failed to reconnect|failed to connect|Failed to connect socket|Cannot (recv|read|write|send) data|End of file while reading|(internal error: )?client socket is closed)/i;

/** The time limit for an answer of a guest agent, in seconds. */
const AGENT_SECONDS = '10';

/**
 * A connection to a libvirt, through one virsh process that lives as long as the connection. Concurrent commands run
 * one after the other. If libvirtd restarts, the connection waits for it and repeats the command, which is safe for
 * each of these commands.
 */
export class Connection implements AsyncDisposable {
  #virsh: Virsh | undefined;
  /** Whether libvirt ever answered. If not, the connection does not wait for it. */
  #reached = false;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();

  readonly #uri: string;
  readonly #options: ConnectionOptions = {};

  constructor(uri: string, options: ConnectionOptions = {}) {
    this.#uri = uri;
    this.#options = options;
  }

  /** Returns the URI as libvirt reports it. */
  async uri(): Promise<string> {
    return (await this.#ask(['uri'])).trim();
  }

  /** Returns all domains, sorted by name. @throws EnvironmentError */
  async list(): Promise<DomainEntry[]> {
    const names = await this.#names();
    const among = async (...filter: readonly string[]): Promise<ReadonlySet<string>> => {
      const output = await this.#ask(['list', '--uuid', ...filter]);
      return new Set(output.split('\n').map((line) => line.trim()));
    };
    const running = await among('--state-running');
    const paused = await among('--state-paused');
    const shutoff = await among('--all', '--state-shutoff');
    const persistent = await among('--all', '--persistent');
    const managedSave = await among('--all', '--with-managed-save');
    const snapshots = await among('--all', '--with-snapshot');
    const stateOf = (uuid: DomainUuid): DomainState =>
      running.has(uuid) ? 'running' : paused.has(uuid) ? 'paused' : shutoff.has(uuid) ? 'shutoff' : 'other';
    return names.map(({ uuid, name }) => ({
      uuid,
      name,
      state: stateOf(uuid),
      persistent: persistent.has(uuid),
      managedSave: managedSave.has(uuid),
      snapshots: snapshots.has(uuid),
    }));
  }

  /**
   * Finds a domain by UUID, or else by name. Both are looked up in the list of all domains, so that neither reaches a
   * command line.
   * @throws InputError `domain-unknown`
   */
  async find(nameOrUuid: string): Promise<{ readonly uuid: DomainUuid; readonly name: string }> {
    const names = await this.#names();
    const wanted = parseUuid(nameOrUuid);
    const found = names.find(({ uuid }) => uuid === wanted) ?? names.find(({ name }) => name === nameOrUuid);
    if (found) return found;
    throw new InputError(domainUnknown.libvirt({ uri: this.#uri, domain: nameOrUuid }));
  }

  /**
   * Returns a domain's XML. Without `security` it contains no passwords and is only for reading: defining it would
   * remove them.
   * @param inactive returns the definition for the next start instead of the running one
   */
  async dumpXml(
    uuid: DomainUuid,
    { inactive = false, security = false }: { readonly inactive?: boolean; readonly security?: boolean } = {},
  ): Promise<string> {
    const flags = [...(inactive ? ['--inactive'] : []), ...(security ? ['--security-info'] : [])];
    return await this.#ask(['dumpxml', checked(uuid), ...flags]);
  }

  /** Defines a domain for its next start; with `validate`, the default, libvirt checks it against its schema first. */
  async define(xml: string, { validate = true }: { readonly validate?: boolean } = {}): Promise<void> {
    const file = openUnnamed(xml);
    try {
      await this.#ask(['define', ...(validate ? ['--validate'] : []), `/proc/${process.pid}/fd/${file}`]);
    } finally {
      closeSync(file);
    }
  }

  /**
   * Returns the names of a domain's snapshots with the memory of a running guest, which fits only the hardware that the
   * guest had.
   */
  async snapshotsWithMemory(uuid: DomainUuid): Promise<string[]> {
    const output = await this.#ask(['snapshot-list', checked(uuid), '--active', '--name']);
    return output.split('\n').filter((line) => line.trim() !== '');
  }

  /** Returns the state of a domain as libvirt prints it: `running`, `paused`, `shut off` … */
  async state(uuid: DomainUuid): Promise<string> {
    return (await this.#ask(['domstate', checked(uuid)])).trim();
  }

  /**
   * Sends a command to the QEMU guest agent in a running domain. The answer comes from the guest and is untrusted
   * input.
   */
  async askAgent(uuid: DomainUuid, command: object): Promise<unknown> {
    return asJson(
      await this.#ask(['qemu-agent-command', '--timeout', AGENT_SECONDS, checked(uuid), JSON.stringify(command)]),
    );
  }

  /**
   * Sends a command to the QEMU monitor of a running domain. This bypasses libvirt, which marks the domain as tainted.
   */
  async askMonitor(uuid: DomainUuid, command: object): Promise<unknown> {
    return asJson(await this.#ask(['qemu-monitor-command', checked(uuid), JSON.stringify(command)]));
  }

  /** Closes the connection; pending commands fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#virsh?.close();
    this.#virsh = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #names(): Promise<{ readonly uuid: DomainUuid; readonly name: string }[]> {
    const output = await this.#ask(['list', '--all', '--uuid', '--name']);
    // Each line is `UUID NAME`. libvirt accepts spaces anywhere in a name, but no line end (12.8).
    const entries = output.split('\n').flatMap((line) => {
      const uuid = parseUuid(line.slice(0, 36));
      return uuid === undefined ? [] : [{ uuid, name: line.slice(37) }];
    });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Runs a virsh command after all earlier ones have ended, and returns its output. */
  #ask(words: readonly string[]): Promise<string> {
    const answer = this.#last.then(() => this.#answer(words));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #answer(words: readonly string[]): Promise<string> {
    const { limitSeconds = 120, restartSeconds = 30 } = this.#options;
    const deadline = Date.now() + restartSeconds * 1000;
    for (let pause = 100; ; pause = Math.min(2 * pause, 2000)) {
      const { output, errors } = await this.#attempt(words, limitSeconds);
      const lost = errors.find((line) => LOST.test(line));
      if (lost === undefined) {
        this.#reached = true;
        if (errors.length === 0) return output;
        // The first error names the command and sometimes a temporary file; the next ones give the reason.
        const why = (errors.length > 1 ? errors.slice(1) : errors).join('; ').replaceAll('\n', '; ');
        throw new EnvironmentError(libvirtRefused.command({ command: words[0] ?? '', error: why }));
      }
      this.#virsh?.close();
      this.#virsh = undefined;
      if (!this.#reached || this.#closed || Date.now() + pause > deadline) throw this.#unreachable(errors.join('; '));
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async #attempt(words: readonly string[], limitSeconds: number): Promise<Answer> {
    if (this.#closed) throw this.#unreachable('the connection is closed');
    try {
      this.#virsh ??= new Virsh(this.#uri, this.#options.held);
      return await this.#virsh.run(words, limitSeconds);
    } catch (error) {
      if (!(error instanceof VirshUnavailable)) throw error;
      this.#virsh = undefined;
      // A virsh that ended may have been killed; a new one shows whether libvirt answers.
      if (error.why === 'ended') return { output: '', errors: [`Disconnected from virsh: ${error.message}`] };
      throw this.#unreachable(error.message, error.why);
    }
  }

  #unreachable(error: string, virsh?: Exclude<VirshUnavailable['why'], 'ended'>): EnvironmentError {
    const why = error.replace(/^Disconnected from virsh: /, '').replaceAll('\n', '; ');
    return new EnvironmentError(libvirtUnreachable({ uri: this.#uri, why, virsh }));
  }
}

/**
 * Returns a connection to the libvirt at a URI; an empty URI means virsh's default. virsh is started by the first
 * command. The caller must close the connection, because virsh keeps this process alive.
 */
export function openLibvirt(uri: string, options?: ConnectionOptions): Connection {
  return new Connection(uri, options);
}

/**
 * Returns an open file without a name, which disappears when this process ends, however it ends: domains contain
 * passwords. Only its owner may open it, through /proc.
 * @throws EnvironmentError `file-unwritable`
 */
function openUnnamed(content: string): number {
  const path = join(tmpdir(), `vsmmu-${randomBytes(12).toString('hex')}`);
  let file: number | undefined;
  try {
    file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    writeFileSync(file, content);
    return file;
  } catch (error) {
    if (file !== undefined) closeSync(file);
    throw new EnvironmentError(fileUnwritable.system({ error: describeIoError(error), file: tmpdir() }));
  }
}

/** @throws EnvironmentError `libvirt-refused` for an answer that is not JSON */
function asJson(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch {
    throw new EnvironmentError(libvirtRefused.notJson());
  }
}

/** @throws InputError if the text is not a UUID, so that only UUIDs reach a command line */
function checked(uuid: DomainUuid): DomainUuid {
  if (UUID.test(uuid)) return uuid;
  throw new InputError(domainUnknown.notUuid({ domain: uuid }));
}
