/** Lays out the files that a package installs in a folder, with the same paths as below `/`. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { completionScript } from '../../src/cli/render/completion.js';
import type { Executable } from './executable.js';
import { copyrightFile } from './licences.js';
import { manPages } from './man.js';
import { REPOSITORY } from './repository.js';

/** The paths that differ between distributions. */
export interface Layout {
  readonly zshFunctions: string;
}

/** Configuration files: an upgrade keeps the administrator's changes. */
export const CONFIGURATION_FILES = ['/etc/vsmmu/policy.json', '/etc/logrotate.d/vsmmu'];

const TMPFILES =
  '# Backups and journals of batches hold domains with their secrets.\nd /var/lib/vsmmu 0700 root root -\n';

const LOGROTATE = `/var/log/vsmmu-hook.log {
    weekly
    rotate 8
    compress
    delaycompress
    missingok
    notifempty
    create 0600 root root
}
`;

/**
 * Lays out the files of a package in a folder, which is emptied first.
 * @param date the date of the man pages
 */
export function layOut(root: string, { path, inputs }: Executable, layout: Layout, date: Date): void {
  rmSync(root, { recursive: true, force: true });
  const put = (to: string, content: string | Uint8Array, mode = 0o644): void => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    writeFileSync(join(root, to), content, { mode });
  };
  const gzip = (text: string): Uint8Array => gzipSync(text, { level: 9 });
  const own = (file: string): string => readFileSync(join(REPOSITORY, file), 'utf8');

  put('usr/bin/vsmmu', readFileSync(path), 0o755);
  put(
    'usr/libexec/vsmmu/onDefineDomain',
    own('bin/onDefineDomain').replace(/^vsmmu=.*/m, 'vsmmu=/usr/bin/vsmmu'),
    0o755,
  );
  for (const [name, page] of Object.entries(manPages(date))) {
    put(`usr/share/man/man${name.at(-1)}/${name}.gz`, gzip(page));
  }
  put('usr/share/bash-completion/completions/vsmmu', completionScript('bash'));
  put(`${layout.zshFunctions}/_vsmmu`, completionScript('zsh'));
  put('usr/share/fish/vendor_completions.d/vsmmu.fish', completionScript('fish'));
  put('etc/vsmmu/policy.json', '{}\n');
  put('etc/logrotate.d/vsmmu', LOGROTATE);
  put('usr/lib/tmpfiles.d/vsmmu.conf', TMPFILES);
  put('usr/share/doc/vsmmu/copyright', copyrightFile(inputs));
  put('usr/share/doc/vsmmu/CHANGELOG.md.gz', gzip(own('CHANGELOG.md')));
  put('usr/share/doc/vsmmu/README.md', own('README.md'));
  for (const folder of ['samples', 'schemas']) {
    cpSync(join(REPOSITORY, folder), join(root, 'usr/share/vsmmu', folder), {
      recursive: true,
      filter: (file) => !file.endsWith('.ts'),
    });
  }
}
