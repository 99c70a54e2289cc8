/** Builds the package for RHEL and related distributions with rpmbuild, on any architecture. */
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './bun.js';
import type { Executable } from './executable.js';
import { CONFIGURATION_FILES, layOut } from './install-tree.js';
import { DESCRIPTION, type Release, SUMMARY } from './release.js';
import { runProgram } from './run-program.js';

/** The licence texts that the copyright file refers to. Only Debian has them on every system. */
const LICENCES = ['Apache-2.0', 'LGPL-2', 'LGPL-2.1'];

function spec({ version, date }: Release): string {
  return `# strip removes the program from the executable and leaves the bare runtime.
%global __strip /bin/true
%global __os_install_post %{nil}
%global debug_package %{nil}
%global _build_id_links none
%global _binary_payload w10.zstdio
%global source_date_epoch_from_changelog 0
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global _buildhost vsmmu

Name: vsmmu
Version: ${version}
Release: 1
Summary: ${SUMMARY}
License: Apache-2.0 AND MIT AND ISC AND BSD-3-Clause AND BSD-2-Clause AND LGPL-2.0-only AND LGPL-2.1-only AND Zlib AND Unicode-3.0

%description
${DESCRIPTION.join('\n')}

%install
cp -a %{vsmmu_root}/. %{buildroot}/

%files
/usr/bin/vsmmu
/usr/libexec/vsmmu
/usr/lib/tmpfiles.d/vsmmu.conf
/usr/share/bash-completion/completions/vsmmu
/usr/share/zsh/site-functions/_vsmmu
/usr/share/fish/vendor_completions.d/vsmmu.fish
/usr/share/vsmmu
/usr/share/man/man*/vsmmu*
%doc /usr/share/doc/vsmmu
%license /usr/share/licenses/vsmmu
%dir /etc/vsmmu
${CONFIGURATION_FILES.map((file) => `%config(noreplace) ${file}`).join('\n')}
%dir %attr(0700, root, root) /var/lib/vsmmu

%post
if [ "$1" -gt 1 ]; then /usr/bin/vsmmu hook refresh --quiet || :; fi

%preun
if [ "$1" -eq 0 ]; then /usr/bin/vsmmu hook uninstall --quiet || :; fi

%changelog
* ${changelogDate(date)} The vsmmu authors - ${version}-1
- See /usr/share/doc/vsmmu/CHANGELOG.md.gz
`;
}

const changelogDate = (date: Date): string => {
  const [weekday = '', day = '', month = '', year = ''] = date.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${day} ${year}`;
};

/** Builds `vsmmu-VERSION-1.ARCHITECTURE.rpm` into a folder and returns its path. */
export function buildRpm(
  architecture: Architecture,
  executable: Executable,
  release: Release,
  scratch: string,
  folder: string,
): string {
  const root = join(scratch, 'rpm-root');
  layOut(root, executable, { zshFunctions: 'usr/share/zsh/site-functions' }, release.date);
  mkdirSync(join(root, 'var/lib/vsmmu'), { recursive: true });
  const licences = join(root, 'usr/share/licenses/vsmmu');
  mkdirSync(licences, { recursive: true });
  for (const name of LICENCES)
    cpSync(join('/usr/share/common-licenses', name), join(licences, name), { dereference: true });
  const top = join(scratch, 'rpmbuild');
  rmSync(top, { recursive: true, force: true });
  mkdirSync(top, { recursive: true });
  writeFileSync(join(top, 'vsmmu.spec'), spec(release));
  const define = (name: string, value: string): string[] => ['--define', `${name} ${value}`];
  runProgram(
    'rpmbuild',
    [
      '-bb',
      ...['--target', `${architecture}-linux`],
      ...define('_topdir', top),
      ...define('vsmmu_root', root),
      // The build machine may have no rpm database.
      ...define('_dbpath', join(top, 'db')),
      '--nodeps',
      join(top, 'vsmmu.spec'),
    ],
    { env: { ...process.env, SOURCE_DATE_EPOCH: String(release.date.getTime() / 1000) } },
  );
  const built = join(top, 'RPMS', architecture);
  const [name = ''] = readdirSync(built);
  renameSync(join(built, name), join(folder, name));
  return join(folder, name);
}
