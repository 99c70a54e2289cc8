import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/command-line.js';
import { findCommand } from '../../src/cli/find-command.js';
import { explain, renderExplanation } from '../../src/cli/render/explanation.js';
import { CODES, type DiagnosticCode } from '../../src/diagnostics/codes.js';
import { parseXml } from '../../src/xml/document.js';
import { vsmmu } from './run.js';

/** The examples of these codes are not XML, or consist of a start tag only. */
const NOT_XML = new Set<string>(['xml-syntax', 'xml-doctype', 'domain-without-kvm'] satisfies DiagnosticCode[]);

const explanations = Object.entries(CODES);

/** Width of a usual terminal. */
const COLUMNS = 80;

describe('explain', () => {
  it('prints the meaning of a code, its cause, its remedy and an example', () => {
    const { code, stdout, stderr } = vsmmu(['explain', 'vsmmus-exhausted']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatchInlineSnapshot(`
      "vsmmus-exhausted  error
        more vSMMUs than QEMU has room for (16)

      Why
        QEMU's virt machine has 64 interrupts for such devices, and an SMMU takes
        four, so there is room for 16, including one for pcie.0.

      What to do
        Use --grouping smmu instead of one expander bus per device, and
        --expander-buses used; or put some devices on the bypass list.

      Example
          vsmmu plan --grouping smmu --expander-buses used vm.xml
      "
    `);
  });

  it('gives the same as JSON', () => {
    const { stdout } = vsmmu(['explain', '--json', 'vsmmus-exhausted']);
    expect(JSON.parse(stdout)).toMatchObject({
      changed: false,
      diagnostics: [],
      code: { code: 'vsmmus-exhausted', severity: 'error', meaning: CODES['vsmmus-exhausted'].meaning },
    });
  });

  it('lists every code, in the order of the documentation', () => {
    const { stdout } = vsmmu(['explain']);
    const titles = stdout.split('\n').flatMap((line) => /^([a-z0-9-]+) {2}(error|warning|note)$/.exec(line)?.[1] ?? []);
    expect(titles).toEqual(Object.keys(CODES));
  });

  it('fits 80 columns, except for examples', () => {
    const texts = (Object.keys(CODES) as DiagnosticCode[]).map((code) => renderExplanation(explain(code)));
    texts.push(vsmmu(['explain']).stdout);
    const long = texts.flatMap((text) => text.split('\n')).filter((line) => line.length > COLUMNS);
    expect(long.filter((line) => !line.startsWith('    '))).toEqual([]);
  });

  it.each([
    ['group-share', /there is no code group-share; did you mean group-shared\?/],
    ['quux', /there is no code quux; vsmmu explain lists all codes/],
    ['constructor', /there is no code constructor/],
    ['$(id)', /there is no code \$\(id\)/],
    ['', /there is no code ;/],
  ])('reports that there is no code %j, and suggests one', (name, message) => {
    const run = vsmmu(['explain', name]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(message);
  });

  it('explains one code at a time', () => {
    expect(vsmmu(['explain', 'usage', 'group-shared'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('explanations', () => {
  it.each(explanations)('have sentences for why and what to do: %s', (_, { why, remedy }) => {
    expect([why, remedy].filter((text) => !/^[A-Za-z<"-].*\.$/s.test(text))).toEqual([]);
  });

  const commands = explanations.flatMap(([code, { example }]) =>
    [...example.replace(/ --help$/m, '').matchAll(/(?<![/\w-])vsmmu ([^\n|>#'&]*)/g)].map(
      ([, line = '']) => [code, line.trim()] as const,
    ),
  );
  it.each(commands)('show commands that exist: %s: vsmmu %s', async (_, line) => {
    const { name, entry, rest } = findCommand(line.split(/\s+/));
    const command = await entry?.load();
    if (!command) throw new Error(`there is no command ${name}`);
    await expect(parseCommandLine(rest, command.options)).resolves.toBeDefined();
  });

  const documents = explanations.filter(([code, { example }]) => example.startsWith('<') && !NOT_XML.has(code));
  it.each(documents)('show XML that is well-formed: %s', (_, { example }) => {
    expect(parseXml(`<domain xmlns:qemu="urn:q">${example}</domain>`).root.children.length).toBeGreaterThan(0);
  });
});
