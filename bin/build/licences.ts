/** Collects the licences of everything in a package: vsmmu, the npm packages bundled with it, and Bun with its libraries. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './repository.js';

/** An npm package whose code is in a bundle. */
interface Bundled {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly copyright: string;
  /** The text of its licence file; empty if it has none. */
  readonly text: string;
}

/** Bun 1.4.5 and the libraries that it links statically, from the LICENSE.md of its source. */
const BUN: readonly (readonly [name: string, licence: string, source: string])[] = [
  ['Bun', 'MIT', 'github.com/oven-sh/bun'],
  ['JavaScriptCore and WebKit', 'LGPL-2', 'github.com/oven-sh/WebKit'],
  ['BoringSSL', 'several, see its LICENSE', 'boringssl.googlesource.com/boringssl'],
  ['brotli', 'MIT', 'github.com/google/brotli'],
  ['libarchive', 'several, see its COPYING', 'github.com/libarchive/libarchive'],
  ['lol-html', 'BSD-3-Clause', 'github.com/cloudflare/lol-html'],
  ['ls-hpack', 'MIT', 'github.com/litespeedtech/ls-hpack'],
  ['ls-qpack', 'MIT', 'github.com/litespeedtech/ls-qpack'],
  ['lsquic', 'MIT, parts BSD-3-Clause', 'github.com/litespeedtech/lsquic'],
  ['mimalloc', 'MIT', 'github.com/microsoft/mimalloc'],
  ['picohttpparser', 'MIT', 'github.com/h2o/picohttpparser'],
  ['zstd', 'BSD-3-Clause', 'github.com/facebook/zstd'],
  ['simdutf', 'Apache-2.0', 'github.com/simdutf/simdutf'],
  ['tinycc', 'LGPL-2.1', 'github.com/tinycc/tinycc'],
  ['uSockets and uWebSockets', 'Apache-2.0', 'github.com/uNetworking'],
  ['zlib-ng', 'Zlib', 'github.com/zlib-ng/zlib-ng'],
  ['c-ares', 'MIT', 'github.com/c-ares/c-ares'],
  ['ICU', 'Unicode-3.0', 'github.com/unicode-org/icu'],
  ['base64', 'BSD-2-Clause', 'github.com/aklomp/base64'],
  ['libdeflate', 'MIT', 'github.com/ebiggers/libdeflate'],
  ['libjpeg-turbo', 'BSD-3-Clause, IJG and Zlib', 'github.com/libjpeg-turbo/libjpeg-turbo'],
  ['libspng', 'BSD-2-Clause', 'github.com/randy408/libspng'],
  ['libwebp', 'BSD-3-Clause', 'github.com/webmproject/libwebp'],
  ['highway', 'Apache-2.0', 'github.com/google/highway'],
  ['uucode', 'MIT', 'github.com/jacobsandlund/uucode'],
  ['TigerBeetle, its I/O code', 'Apache-2.0', 'github.com/tigerbeetle/tigerbeetle'],
  ['LLVM libc++abi, one file', 'Apache-2.0 WITH LLVM-exception', 'github.com/llvm/llvm-project'],
];

const RELINKING = `The executable contains Bun, which links JavaScriptCore (LGPL-2) and tinycc (LGPL-2.1) statically. To use a changed
version of these libraries, build Bun with it as its LICENSE.md describes, and build vsmmu with that Bun:
bin/build/executable.ts passes its path as --compile-executable-path.`;

/**
 * Returns the npm packages among the inputs of a bundle, by name.
 * @param inputs paths as esbuild and Bun list them, relative to the repository
 */
function bundledPackages(inputs: readonly string[]): readonly Bundled[] {
  const folders = inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders)]
    .map((folder) => readPackage(join(REPOSITORY, folder)))
    .sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
}

function readPackage(folder: string): Bundled {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)(-mit)?(\.|$)/i.test(each));
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim();
  const holder = /^ *(copyright .*\d{4}.*)$/im.exec(text)?.[1] ?? (typeof author === 'string' ? author : author?.name);
  return { name, version, licence: license, copyright: holder ?? `the authors of ${name}`, text };
}

/** Returns one plain text with the licences of the npm packages in a bundle. */
export function thirdPartyLicences(inputs: readonly string[]): string {
  const parts = bundledPackages(inputs).map(
    ({ name, version, licence, copyright, text }) => `${name} ${version} (${licence})\n\n${text || copyright}\n`,
  );
  return `The files of this folder contain code of the following packages.\n\n${parts.join(`\n${'-'.repeat(78)}\n\n`)}`;
}

/** Returns the copyright file for the standalone executable, in Debian's machine-readable form (DEP-5). */
export function copyrightFile(inputs: readonly string[]): string {
  const packages = bundledPackages(inputs);
  const own = 'Files: *\nCopyright: The vsmmu authors\nLicense: Apache-2.0';
  const npm = packages.map(
    ({ name, version, licence, copyright, text }) =>
      `Files: node_modules/${name}/*\nCopyright: ${copyright.replace(/^copyright\s*/i, '')}\nLicense: ${licence}\nComment: Version ${version}, bundled in /usr/bin/vsmmu.${text ? ` Its licence file:\n${indented(text)}` : ''}`,
  );
  const bun = BUN.map(
    ([name, licence, source]) =>
      `Files: bun/${name.replace(/\W+/g, '-')}\nCopyright: the authors of ${name}\nLicense: ${licence.replaceAll(/[ ,]+/g, '-')}\nComment: ${licence}. Linked into /usr/bin/vsmmu. Source: ${source}`,
  );
  const names = new Set([...packages.map((p) => p.licence), ...BUN.map(([, licence]) => licence), 'Apache-2.0']);
  const licences = [...names]
    .sort()
    .map((name) => `License: ${name.replaceAll(/[ ,]+/g, '-')}\n${indented(licenceText(name))}`);
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: vsmmu\nComment:\n' +
      indented(RELINKING),
    own,
    ...npm,
    ...bun,
    ...licences,
  ]
    .join('\n\n')
    .concat('\n');
}

const COMMON = '/usr/share/common-licenses';

function licenceText(name: string): string {
  const common = join(COMMON, name);
  if (existsSync(common)) return `On Debian systems the full text is in ${common}.`;
  return TEXTS[name] ?? `See the source named above.`;
}

const DISCLAIMER = (
  holders: string,
): string => `THIS SOFTWARE IS PROVIDED BY ${holders} "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL ${holders} BE
LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT
OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`;

const BSD2 = `Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:
1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following disclaimer
in the documentation and/or other materials provided with the distribution.`;

/** Texts of short standard licences. Debian has no common file for them. */
const TEXTS: Readonly<Record<string, string>> = {
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
  ISC: `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR
CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`,
  'BSD-2-Clause': `${BSD2}\n\n${DISCLAIMER('THE COPYRIGHT HOLDERS AND CONTRIBUTORS')}`,
  'BSD-3-Clause': `${BSD2}
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products derived
from this software without specific prior written permission.

${DISCLAIMER('THE COPYRIGHT HOLDERS AND CONTRIBUTORS')}`,
  Zlib: `This software is provided 'as-is', without any express or implied warranty. In no event will the authors be held liable for
any damages arising from the use of this software.

Permission is granted to anyone to use this software for any purpose, including commercial applications, and to alter it and
redistribute it freely, subject to the following restrictions:
1. The origin of this software must not be misrepresented; you must not claim that you wrote the original software. If you use
this software in a product, an acknowledgment in the product documentation would be appreciated but is not required.
2. Altered source versions must be plainly marked as such, and must not be misrepresented as being the original software.
3. This notice may not be removed or altered from any source distribution.`,
};

/** Formats text for a field of a control file: each line is indented, and an empty line becomes a dot. */
const indented = (text: string): string =>
  text
    .split('\n')
    .map((line) => ` ${line.trimEnd() || '.'}`)
    .join('\n');
