import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DomainResult } from '../../../src/batch/item.js';
import { Tally } from '../../../src/batch/item.js';
import { HtmlReport } from '../../../src/cli/render/batch-html.js';
import { lineOf, summary } from '../../../src/cli/render/batch-rows.js';
import { rewrite } from '../../../src/edit/rewrite.js';
import { temporaryFolder } from '../run.js';

import { domain, host, planned } from './example.js';

const result = (more: Partial<DomainResult>): DomainResult => ({
  id: 'a/vm.xml',
  name: 'vm',
  verdict: 'convert',
  loses: [],
  running: false,
  diagnostics: [],
  ...more,
});

describe('the row of a domain in a batch', () => {
  it.each<[item: Partial<DomainResult>, row: string]>([
    [{}, 'convert         vm'],
    [{ file: '/x/a/vm.xml' }, 'convert         a/vm.xml'],
    [{ running: true }, 'convert         vm                        takes effect at its next start'],
    [
      { running: true, verdict: 'converted' },
      'converted       vm                        takes effect at its next start',
    ],
    [{ running: true, verdict: 'unchanged' }, 'unchanged       vm'],
    [{ devices: { placed: 2, total: 2 } }, 'convert         vm'],
    [
      { verdict: 'refused', why: 'no SMMU', devices: { placed: 1, total: 2 }, loses: ['save', 'migration'] },
      'refused         vm                        no SMMU; 1 of 2 placed; no longer possible: save, migration',
    ],
    [{ name: 'a\u001b[1m' }, 'convert         a\\u001b[1m'],
  ])('%j', (parts, row) => {
    expect(lineOf(result(parts))).toBe(row);
  });

  it('is counted in the summary', () => {
    const tally = new Tally();
    expect(summary(tally)).toBe('0 domains');
    tally.add(result({}));
    expect(summary(tally)).toBe('1 domain: 1 convert');
    tally.add(result({ verdict: 'not-applicable' }));
    expect(summary(tally)).toBe('2 domains: 1 convert, 1 not applicable');
  });
});

describe('the page of a batch', () => {
  it('has a row per domain, which opens if there is more to show', async () => {
    const file = join(temporaryFolder(), 'page.html');
    using report = new HtmlReport(file, ({ id }) => (id === 'no-host' ? undefined : host), {
      Host: '<h>',
      Options: 'none',
    });
    const diagnostics = [{ code: 'x', severity: 'warning', message: 'a < b' }] as never;
    const texts = { before: '', after: rewrite(domain, planned) };
    for (const parts of [
      {},
      { verdict: 'failed', name: '<vm>' },
      { diagnostics },
      { diagnostics, verdict: 'refused' },
      { plan: planned, texts, diagnostics },
      { plan: planned },
      { plan: { ...planned, changed: false }, texts },
      { id: 'no-host', plan: planned, texts },
    ] satisfies Partial<DomainResult>[]) {
      await report.item(result(parts as Partial<DomainResult>));
    }
    const tally = new Tally();
    tally.add(result({}));
    report.end(tally);
    const text = readFileSync(file, 'utf8').replaceAll(/<svg[\s\S]*?<\/svg>\n/g, (svg) =>
      svg.includes('0000:e') || svg.includes('0000:f') ? '[addresses]' : '[svg]',
    );
    expect(text.slice(text.indexOf('<dl>'))).toMatchInlineSnapshot(`
      "<dl><dt>Host</dt><dd>&lt;h&gt;</dd>
      <dt>Options</dt><dd>none</dd></dl>
      <p>Open a row with ▸ to see the diagnostics of the domain and a picture of its plan.</p>
      <div class="row"><span class="verdict">convert</span><span class="name">vm</span><span class="why"></span></div>
      <div class="row failure"><span class="verdict">failed</span><span class="name">&lt;vm&gt;</span><span class="why"></span></div>
      <details><summary><span class="verdict">convert</span><span class="name">vm</span><span class="why"></span></summary><ul><li>warning: a &lt; b</li></ul></details>
      <details class="failure"><summary><span class="verdict">refused</span><span class="name">vm</span><span class="why"></span></summary><ul><li>warning: a &lt; b</li></ul></details>
      <details><summary><span class="verdict">convert</span><span class="name">vm</span><span class="why"></span></summary><ul><li>warning: a &lt; b</li></ul>[addresses]</details>
      <details><summary><span class="verdict">convert</span><span class="name">vm</span><span class="why"></span></summary>[svg]</details>
      <div class="row"><span class="verdict">convert</span><span class="name">vm</span><span class="why"></span></div>
      <div class="row"><span class="verdict">convert</span><span class="name">vm</span><span class="why"></span></div>
      <footer>1 domain: 1 convert</footer>
      </body>
      </html>
      "
    `);
  });
});
