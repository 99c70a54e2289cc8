import * as attach from './attach.js';
import * as batch from './batch.js';
import * as devices from './devices.js';
import type { CodeInfo } from './diagnostic.js';
import * as domain from './domain.js';
import * as expanderBuses from './expander-buses.js';
import * as files from './files.js';
import * as groups from './groups.js';
import * as guest from './guest.js';
import * as integrations from './integrations.js';
import * as json from './json.js';
import * as libvirt from './libvirt.js';
import * as memory from './memory.js';
import * as numa from './numa.js';
import * as pci from './pci.js';
import * as probe from './probe.js';
import * as record from './record.js';
import * as running from './running.js';
import * as usage from './usage.js';
import * as vsmmu from './vsmmu.js';
import * as xml from './xml.js';

/** The files with definitions, in the order of the reference. */
const FILES = {
  usage,
  devices,
  groups,
  attach,
  xml,
  domain,
  json,
  files,
  batch,
  libvirt,
  probe,
  integrations,
  record,
  running,
  guest,
  vsmmu,
  pci,
  numa,
  memory,
  'expander-buses': expanderBuses,
};

type Files = typeof FILES;
type Definitions<File> = Extract<File[keyof File], { readonly code: string; readonly info: CodeInfo }>;

/** The name of a kind of finding. A code is never renamed, and its meaning never changes. */
export type DiagnosticCode = { [Name in keyof Files]: Definitions<Files[Name]>['code'] }[keyof Files];

/** A definition as the reference needs it. */
interface Defined {
  readonly code: string;
  readonly info: CodeInfo;
}

/** The definitions of each file, in the order of their codes. */
export const BY_FILE: readonly { readonly file: string; readonly definitions: readonly Defined[] }[] = [
  ...Object.entries(FILES).map(([file, exports]) => ({
    file,
    definitions: Object.values<unknown>(exports)
      .filter((value): value is Defined => Object.hasOwn(Object(value), 'info'))
      .sort((a, b) => (a.code < b.code ? -1 : 1)),
  })),
];

/** All codes with their properties. */
export const CODES = Object.fromEntries(
  BY_FILE.flatMap(({ definitions }) => definitions.map(({ code, info }) => [code, info])),
) as Readonly<Record<DiagnosticCode, CodeInfo>>;
