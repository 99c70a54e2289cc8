import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, vsmmu } from './run.js';

const HOST = ['--topology', 'samples/hosts/host-a.json'];
const VALUES = '--ats off --ril off --ssidsize 0 --oas 44 --cmdqv off'.split(' ');

const read = (file: string) => readFileSync(join(REPOSITORY, file), 'utf8');
const golden = (name: string) => read(`test/golden/${name}/domain.xml`);

function rewrite(xml: string, options: readonly string[] = []): string {
  const { code, stdout, stderr } = vsmmu(['rewrite', ...HOST, ...options], xml);
  expect(stderr.match(/^.*error:.*$/gm)).toBeNull();
  expect(code).toBe(0);
  return stdout;
}

/** The sample without the device that is in no group. */
const ml = read('samples/domains/ml-train.xml').replace(
  / *<hostdev(?:(?!<\/hostdev>)[\s\S])*slot='0x10'[\s\S]*?<\/hostdev>\n/,
  '',
);

const attach = (xml: string, bdf: string) => vsmmu(['attach', ...HOST, '-', bdf], xml);

const withAttached = (xml: string, bdf: string) => xml.replace('</devices>', `${attach(xml, bdf).stdout}</devices>`);

/** The options of the `vsmmu rewrite` command that a refusal recommends. */
function adviceOf(stderr: string): string[] {
  const [, options = '', values] =
    /rewrite the domain with (.*?)(, with values.*)? and restart it$/m.exec(stderr) ?? [];
  return [...options.split(/,? /), ...(values ? VALUES : [])];
}

describe('the advice of attach', () => {
  it.each([
    ['an expander bus without a free port', rewrite(ml), '0000:31:10.4'],
    ['a free port that reserves too little memory', golden('attach'), '0000:92:00.0'],
    ['an SMMU without a vSMMU', rewrite(ml), '0000:12:00.0'],
    ['a full expander bus made by hand', golden('expander-bus-full'), '0000:31:10.4'],
    ['a full expander bus', rewrite(golden('expander-bus-full')), '0000:31:10.4'],
    ['spare ports that are all in use', withAttached(golden('attach'), '0000:31:10.4'), '0000:31:10.0'],
  ])('works when it is followed: %s', (_, xml, bdf) => {
    const refused = attach(xml, bdf);
    expect(refused.code).toBe(1);
    const prepared = rewrite(xml, adviceOf(refused.stderr));
    expect(attach(prepared, bdf)).toMatchObject({ code: 0, stderr: '' });
    const attached = withAttached(prepared, bdf);
    expect(vsmmu(['check', ...HOST], attached)).toMatchObject({ code: 0 });
    expect(rewrite(attached)).toBe(attached);
  });
});

describe('vsmmu attach', () => {
  it('prints the element in the JSON document with --json', () => {
    const { code, stdout } = vsmmu(['attach', ...HOST, '--json', '-', '0000:31:10.4'], golden('attach'));
    expect(code).toBe(0);
    const { stdout: xml } = attach(golden('attach'), '0000:31:10.4');
    expect(JSON.parse(stdout)).toEqual({ changed: true, diagnostics: [], xml });
    expect(xml).toMatch(/^<hostdev [\s\S]*<\/hostdev>\n$/);
  });
});
