import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConvertSettings } from '../convert.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { fileUnreadable, fileUnwritable } from '../diagnostics/files.js';
import type { Plan } from '../generated/plan.js';
import { systemCode } from '../io/errors.js';
import { type Folder, openFolder } from '../io/folder.js';
import { type FileContent, openBelow, readIn } from '../io/read.js';
import { RecentFolder } from '../io/recent-folder.js';
import { replaceIn } from '../io/replace.js';
import { MAX_BYTES } from '../xml/source.js';
import type { Change } from './change.js';
import { type Conversion, convertXml, countDevices, failure, losses } from './conversion.js';
import { backupName, digestOf } from './digest.js';
import { type HostFinder, type HostSource, hostFinder } from './hosts.js';
import { type DeviceCount, type Verdict, type Wanted, whyOf } from './item.js';
import { RunFolder } from './state.js';
import { wrapIoError, wrapIoErrorAsync } from './wrap-io-error.js';

/** How to convert the files of a folder. It is plain data, since it is sent to other threads. */
export interface FolderTask {
  /** An absolute path. */
  readonly in: string;
  /** The absolute path of the output folder; undefined if nothing is written to another folder. */
  readonly out: string | undefined;
  /** The folder of the run, which keeps the former XML of files that are changed in place; undefined if none is changed in place. */
  readonly run: string | undefined;
  readonly settings: ConvertSettings;
  readonly hosts: HostSource;
  readonly want: Wanted;
}

/** The result for one file. */
export interface FileResult {
  readonly path: string;
  readonly name: string;
  readonly verdict: Verdict;
  readonly why: string | undefined;
  readonly loses: readonly string[];
  readonly devices: DeviceCount | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly texts: { readonly before: string; readonly after: string } | undefined;
  readonly plan: Plan | undefined;
  /** The change to make in place, after its `begin` is in the journal. */
  readonly pending: Change | undefined;
}

/** Converts files one by one. */
export class FolderWorker {
  readonly #task: FolderTask;
  readonly #hostOf: HostFinder;
  readonly #in: RecentFolder;
  readonly #out: RecentFolder;
  readonly #run: RunFolder | undefined;

  constructor(task: FolderTask) {
    this.#task = task;
    this.#hostOf = hostFinder(task.hosts);
    this.#in = new RecentFolder((path) => openBelow(task.in, path));
    this.#out = new RecentFolder(openToWrite);
    this.#run = task.run === undefined ? undefined : new RunFolder(task.run);
  }

  /** @param path below the folder */
  async convert(path: string): Promise<FileResult> {
    const file = join(this.#task.in, path);
    try {
      const input = wrapIoError(fileUnreadable, file, () => {
        using folder = this.#in.of(path);
        return readIn(folder, file, MAX_BYTES);
      });
      const conversion = convertXml(input.bytes, (name) => this.#hostOf(path, name), this.#task.settings);
      return await this.#write(path, input, conversion);
    } catch (error) {
      return failed(emptyResult(path), failure(error));
    }
  }

  async #write(path: string, input: FileContent, conversion: Conversion): Promise<FileResult> {
    const { verdict, name, before: text, after, plan, diagnostics } = conversion;
    const { out, want } = this.#task;
    const result: FileResult = {
      ...emptyResult(path),
      name: name || path,
      verdict,
      why: verdict === 'refused' || verdict === 'not-applicable' ? whyOf(diagnostics) : undefined,
      loses: losses(conversion),
      devices: countDevices(conversion),
      diagnostics: want.details ? diagnostics : diagnostics.filter((d) => d.severity !== 'note'),
      texts: want.texts && text !== undefined && after !== undefined ? { before: text, after } : undefined,
      plan: want.plans ? plan : undefined,
    };
    if (after === undefined) return result;
    if (out !== undefined) {
      const written = await writeResult(this.#out, join(out, path), after, input.mode);
      const converted = verdict === 'convert';
      if (written) return { ...result, verdict: converted ? 'written' : 'copied' };
      return converted ? { ...result, verdict: 'unchanged', loses: [] } : result;
    }
    if (!this.#run || verdict !== 'convert') return result;
    const before = digestOf(input.bytes);
    const backup = backupName(digestOf(path).slice(0, 32), before);
    const pending: Change = { id: path, name: result.name, before, backup, text: after };
    await this.#run.keep(backup, input.bytes);
    return { ...result, pending };
  }
}

/**
 * Writes a result to the output folder, with the mode of the original file.
 * @returns true if it was written and is on disk; false if the file already has this content
 */
async function writeResult(folders: RecentFolder, file: string, content: string, mode: number): Promise<boolean> {
  const bytes = Buffer.from(content);
  return await wrapIoErrorAsync(fileUnwritable, file, async () => {
    using folder = folders.of(file);
    if (contentIn(folder, file)?.equals(bytes)) return false;
    await replaceIn(folder, file, bytes, { mode });
    return true;
  });
}

/** Opens a folder for results, which may not exist yet. */
function openToWrite(path: string): Folder {
  mkdirSync(path, { recursive: true });
  return openFolder(path);
}

/** Returns the content of a file; undefined if it does not exist or is a symbolic link: only writing follows links. */
function contentIn(folder: Folder, file: string): Buffer | undefined {
  try {
    return readIn(folder, file).bytes;
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Returns the result for a file that could not be read or written. */
export function failed(result: Omit<FileResult, 'verdict'>, diagnostics: readonly Diagnostic[]): FileResult {
  return {
    ...result,
    verdict: 'failed',
    why: whyOf(diagnostics),
    diagnostics,
    loses: [],
    devices: undefined,
    pending: undefined,
  };
}

/** Returns a result that contains only the path. */
export function emptyResult(path: string): Omit<FileResult, 'verdict'> {
  return {
    path,
    name: path,
    why: undefined,
    loses: [],
    devices: undefined,
    diagnostics: [],
    texts: undefined,
    plan: undefined,
    pending: undefined,
  };
}
