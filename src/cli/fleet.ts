import { basename } from 'node:path';
import { DiagnosedError, InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { type Assessment, assess, explainObstacle } from '../doctor/assessment.js';
import { anonymise } from '../host/anonymise.js';
import type { Host } from '../host/host.js';
import { readTopology } from '../host/snapshot.js';
import { exitCodeOf } from './exit-code.js';
import { readTextFile, writeFile } from './io/files.js';
import { print } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { isOtherFile } from './picture.js';
import { renderFleet } from './render/fleet.js';
import { drawFleet } from './render/fleet-html.js';
import { type Located, printJson, report } from './report.js';

/** A host of a fleet. */
export interface FleetHost {
  readonly name: string;
  readonly host: Host;
  readonly assessment: Assessment;
}

/**
 * Prints which devices can be placed on each host of a fleet. Reports each snapshot that cannot be read, and continues
 * with the others.
 * @param files snapshots, whose names without `.json` are the names of the hosts
 * @returns the exit code
 */
export async function reportFleet(files: readonly string[], options: OptionValues): Promise<number> {
  if (files.length === 0) {
    const hint = 'create one on each host: vsmmu topology --json > HOST.json';
    throw new InputError(usage.needs({ option: '--fleet', needed: 'snapshots of hosts', hint }));
  }
  const html = value(options, 'html');
  // `--html hosts/*.json` is a likely typing error, and would write over a snapshot.
  if (html !== undefined && isOtherFile(html, '<html')) {
    throw new InputError(usage.overwrites({ option: '--html', file: html, expected: 'an HTML page' }));
  }
  const fleet: FleetHost[] = [];
  const diagnostics: Located[] = [];
  let exitCode = 0;
  for (const [n, file] of files.entries()) {
    try {
      const read = readTopology(readTextFile(file), file);
      const isAnonymous = isSet(options, 'anonymise');
      const host = isAnonymous ? anonymise(read) : read;
      fleet.push({ name: isAnonymous ? `host-${n + 1}` : basename(file, '.json'), host, assessment: assess(host) });
    } catch (error) {
      if (!(error instanceof DiagnosedError)) throw error;
      diagnostics.push(...error.diagnostics.map((d) => ({ file, ...d })));
      exitCode = Math.max(exitCode, exitCodeOf(error));
    }
  }
  if (html !== undefined) {
    const written = await writeFile(html, drawFleet(fleet));
    diagnostics.push(...written.map((d) => ({ file: html, ...d })));
  }
  if (isSet(options, 'json')) {
    printJson({ changed: false, diagnostics, fleet: fleet.map(toJson) });
  } else {
    report(diagnostics, options);
    if (html === undefined) print(renderFleet(fleet));
  }
  return exitCode;
}

function toJson({ name, host, assessment: { devices, placeable, obstacles } }: FleetHost) {
  return {
    name,
    smmus: host.smmus.length,
    devices: devices.length,
    placeable: placeable.map(({ bdf }) => bdf),
    obstacles: obstacles.map((each) => ({
      kind: each.kind,
      ...explainObstacle(each),
      devices: each.devices.map(({ bdf }) => bdf),
      ports: each.ports,
    })),
  };
}
