import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, temporaryFolder, vsmmu, vsmmuAtTerminal } from './run.js';

const HOST = ['--topology', 'samples/hosts/host-a.json'];
const SAMPLE = 'samples/domains/ml-train.xml';
const sample = readFileSync(join(REPOSITORY, SAMPLE), 'utf8');

/** A domain whose name and comment contain control characters for terminals. */
function hostileDomain(): string {
  const file = join(temporaryFolder(), 'vm.xml');
  const name = 'x\u009b31m\u202ey';
  writeFileSync(
    file,
    sample.replace(/<name>.*<\/name>/, `<name>${name}</name>`).replace('</metadata>', `<!-- ${name} -->$&`),
  );
  return file;
}

/** Removes the colours that vsmmu itself prints. */
const withoutColours = (text: string) => text.replaceAll(new RegExp(`${'\u001b'}\\[(?:[12]|22|3[1-6]|39)m`, 'g'), '');

describe('on a terminal', () => {
  it.each<[title: string, args: string[]]>([
    ['the domain', ['rewrite', '--quiet']],
    ['a diff', ['rewrite', '--quiet', '--diff']],
    ['the plan', ['plan']],
    ['a document', ['rewrite', '--quiet', '--json']],
    ['a picture', ['plan', '--format', 'dot']],
    ['a drawing', ['plan', '--svg', '-']],
  ])('%s shows the control characters of a domain as codes', async (_, args) => {
    const { code, shown } = await vsmmuAtTerminal([...args, ...HOST, hostileDomain()]);
    expect(code).toBe(0);
    expect(withoutColours(shown)).toMatch(/^(?:[^\p{Cc}\p{Bidi_C}]|\n)*$/u);
    expect(shown).toMatch(/\\u009b|&#x9b;/);
  });

  it('diagnostics follow the diff, and their severities are coloured', async () => {
    const { shown } = await vsmmuAtTerminal(['rewrite', '--diff', ...HOST, SAMPLE]);
    expect(shown.indexOf('group-shared')).toBeGreaterThan(shown.lastIndexOf('</domain>'));
    expect(shown).toContain('\u001b[1m\u001b[33mwarning:\u001b[39m\u001b[22m group-shared');
  });

  it('NO_COLOR turns colours off', async () => {
    const { shown } = await vsmmuAtTerminal(['rewrite', '--diff', ...HOST, SAMPLE], { environment: { NO_COLOR: '1' } });
    expect(shown).not.toContain('\u001b');
  });

  it('Ctrl-C at a prompt ends with 130, and the file stays as it was', async () => {
    const file = join(temporaryFolder(), 'vm.xml');
    const text = sample.replace("type='kvm'", "type='qemu'");
    writeFileSync(file, text);
    const { code } = await vsmmuAtTerminal(['edit', ...HOST, '--libvirt', '12.8.0', '--qemu', '11.1.0', file], {
      keys: { after: '[y/N]', type: '\u0003' },
      environment: { EDITOR: 'true' },
    });
    expect(code).toBe(130);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

describe.each(['rewrite', 'check', 'plan', 'revert'])('%s on a terminal', (command) => {
  it('reports that it reads standard input', async () => {
    const { shown } = await vsmmuAtTerminal([command], { keys: { after: 'standard input', type: '<x/>\n\u0004' } });
    expect(shown).toContain('vsmmu: reading the domain from standard input; Ctrl-D ends it\n');
    expect(shown).toContain('<stdin>:1:1: ');
  });
});

describe('in a pipe', () => {
  it('a domain and its diff are unchanged byte for byte', () => {
    const file = hostileDomain();
    expect(vsmmu(['rewrite', ...HOST, file]).stdout).toContain('<name>x\u009b31m\u202ey</name>');
    expect(vsmmu(['rewrite', '--diff', ...HOST, file]).stdout).not.toContain('\\u009b');
  });
});

describe('in an ASCII locale', () => {
  const ascii = (args: readonly string[], environment: NodeJS.ProcessEnv) =>
    vsmmu(args, '', { LC_ALL: '', LC_CTYPE: '', LANG: '', ...environment }).stdout;
  const topology = ['topology', '--topology', 'samples/hosts/gb200.json'];

  it.each<NodeJS.ProcessEnv>([
    { LC_ALL: 'C', LANG: 'C.UTF-8' },
    { LC_CTYPE: 'POSIX', LANG: 'C.UTF-8' },
    { LANG: 'de_DE@euro' },
  ])('the output is ASCII: %o', (environment) => {
    expect(ascii(topology, environment)).toMatch(/^[\n -~]*$/);
    expect(ascii(topology, environment)).toContain('\n|- 0005:02:00.0  VGA');
  });

  it.each<NodeJS.ProcessEnv>([{ LC_ALL: 'en_US.utf8', LANG: 'C' }, { LC_CTYPE: 'C.UTF-8', LANG: 'C' }, {}])(
    'the output is UTF-8 in other locales: %o',
    (environment) => {
      expect(ascii(topology, environment)).toContain('\n├─ 0005:02:00.0  VGA');
    },
  );

  it('a JSON document has the same meaning', () => {
    const args = ['plan', '--json', ...HOST, '-'];
    const named = sample.replace(/<name>.*<\/name>/, '<name>Müller 🚀</name>');
    const [plain, coded] = ['C.UTF-8', 'C'].map((LC_ALL) => vsmmu(args, named, { LC_ALL }).stdout);
    expect(coded).toMatch(/^[\n -~]*$/);
    expect(JSON.parse(coded ?? '')).toEqual(JSON.parse(plain ?? ''));
  });

  it('XML is unchanged byte for byte', () => {
    const named = sample.replace(/<name>.*<\/name>/, '<name>Müller</name>');
    expect(vsmmu(['rewrite', ...HOST, '-'], named, { LC_ALL: 'C' }).stdout).toContain('<name>Müller</name>');
  });
});
