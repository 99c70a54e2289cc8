/** Builds the package for Debian and Ubuntu. */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Architecture } from './bun.js';
import type { Executable } from './executable.js';
import { CONFIGURATION_FILES, layOut } from './install-tree.js';
import { DESCRIPTION, type Release, SUMMARY } from './release.js';
import { runProgram } from './run-program.js';

/** The project has no e-mail address yet. RFC 2606 reserves the domain .invalid. */
const MAINTAINER = 'The vsmmu authors <maintainers@vsmmu.invalid>';

const DEBIAN_NAMES: Readonly<Record<Architecture, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/** The hook must not start a program that was removed. The path is absolute because another vsmmu can come first in the PATH. */
const PRERM = `#!/bin/sh
set -e
if [ "$1" = remove ]; then
  /usr/bin/vsmmu hook uninstall --quiet || true
fi
`;

/** An upgrade updates the hook's script if it is installed. The package never enables the hook. */
const POSTINST = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  if [ ! -d /var/lib/vsmmu ]; then install -d -m 0700 /var/lib/vsmmu; fi
  if [ -n "$2" ]; then /usr/bin/vsmmu hook refresh --quiet || true; fi
fi
`;

/** Only a purge removes the backups, which `batch rollback` needs, and the logs. */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = purge ]; then
  rm -rf /var/lib/vsmmu
  rm -f /var/log/vsmmu-hook.log /var/log/vsmmu-hook.log.*
fi
`;

const OVERRIDES = `# strip removes the program from the executable and leaves the bare runtime.
vsmmu: unstripped-binary-or-object [usr/bin/vsmmu]
# Inside the runtime; it is listed in the copyright file.
vsmmu: embedded-library libjpeg [usr/bin/vsmmu]
# The runtime is built by its authors, as a static executable at a fixed address.
vsmmu: hardening-no-pie [usr/bin/vsmmu]
vsmmu: hardening-no-relro [usr/bin/vsmmu]
# It falls back to vi where sensible-editor is not installed.
vsmmu: missing-depends-on-sensible-utils sensible-editor [usr/bin/vsmmu]
# Another vsmmu may come first in the PATH.
vsmmu: command-with-path-in-maintainer-script /usr/bin/vsmmu *
# Ansible replaces this interpreter by the host's Python.
vsmmu: unusual-interpreter /usr/bin/python [usr/share/vsmmu/samples/ansible/roles/vsmmu/library/vsmmu_batch.py]
`;

/** Builds `vsmmu_VERSION_ARCHITECTURE.deb` into a folder and returns its path. */
export function buildDeb(
  architecture: Architecture,
  executable: Executable,
  { version, date }: Release,
  scratch: string,
  folder: string,
): string {
  const root = join(scratch, 'deb');
  layOut(root, executable, { zshFunctions: 'usr/share/zsh/vendor-completions' }, date);
  const changes = `vsmmu (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- ${MAINTAINER}  ${date.toUTCString().replace('GMT', '+0000')}\n`;
  writeFileSync(join(root, 'usr/share/doc/vsmmu/changelog.gz'), gzipSync(changes, { level: 9 }));
  mkdirSync(join(root, 'usr/share/lintian/overrides'), { recursive: true });
  writeFileSync(join(root, 'usr/share/lintian/overrides/vsmmu'), OVERRIDES);
  const control = join(root, 'DEBIAN');
  const files = filesBelow(root);
  mkdirSync(control);
  const size = files.reduce((sum, file) => sum + Math.ceil(statSync(join(root, file)).size / 1024), 0);
  writeFileSync(
    join(control, 'control'),
    [
      'Package: vsmmu',
      `Version: ${version}`,
      `Architecture: ${DEBIAN_NAMES[architecture]}`,
      `Maintainer: ${MAINTAINER}`,
      `Installed-Size: ${size}`,
      'Depends: libc6 (>= 2.17)',
      // Hosts have both packages. With Recommends instead, apt would need the network on hosts that do not have them.
      'Suggests: libvirt-clients, logrotate',
      'Section: admin',
      'Priority: optional',
      `Description: ${SUMMARY}`,
      ...DESCRIPTION.map((line) => ` ${line || '.'}`),
      '',
    ].join('\n'),
  );
  writeFileSync(join(control, 'conffiles'), CONFIGURATION_FILES.map((file) => `${file}\n`).join(''));
  writeFileSync(
    join(control, 'md5sums'),
    files
      .filter((f) => !f.startsWith('etc/'))
      .map((f) => `${md5(join(root, f))}  ${f}\n`)
      .join(''),
  );
  for (const [name, script] of Object.entries({ prerm: PRERM, postinst: POSTINST, postrm: POSTRM })) {
    writeFileSync(join(control, name), script, { mode: 0o755 });
  }
  const path = join(folder, `vsmmu_${version}_${DEBIAN_NAMES[architecture]}.deb`);
  // Compression level 2 of 9: higher levels take minutes and save only a few per cent.
  runProgram('dpkg-deb', ['--root-owner-group', '-Zxz', '-z2', '--build', root, path], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(date.getTime() / 1000) },
  });
  return path;
}

/** Returns the paths of all files below a folder, relative to it and sorted. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const md5 = (path: string): string => createHash('md5').update(readFileSync(path)).digest('hex');
