import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { escapeControls, escapeControlsInJson, escapeControlsInXml, escapeMarkup, printable } from '../src/escape.js';
import { parseXml } from '../src/xml/document.js';
import { REPOSITORY } from './cli/run.js';

const UNSAFE = '\u0000\u0007\u001b[31m\r\u007f\u0085\u009b\u061c\u200e\u200f\u202a\u202e\u2066\u2069\u2028\u2029\ud800';

describe('untrusted text', () => {
  it('has codes instead of control characters and changes of text direction', () => {
    for (const safe of [escapeControls, printable, escapeMarkup, escapeControlsInJson]) {
      expect(safe(UNSAFE)).toMatch(/^[ -~]*$/);
    }
    expect(escapeControls('a\u001b[31m\u009b\u202e')).toBe('a\\u001b[31m\\u009b\\u202e');
  });

  it('keeps its lines and tabs, except in a message', () => {
    expect(escapeControls('a\n\tb')).toBe('a\n\tb');
    expect(printable('a\n\tb')).toBe('a\\u000a\\u0009b');
  });

  it('keeps letters of every language, and emoji', () => {
    expect(escapeControls('Grüße 日本 שלום 🚀')).toBe('Grüße 日本 שלום 🚀');
  });

  it('has the same meaning in JSON', () => {
    const document = { name: 'a\u0007\u009b\u202e\u2028"\\' };
    expect(JSON.parse(escapeControlsInJson(JSON.stringify(document)))).toEqual(document);
  });

  it('has the same meaning in XML, whose line ends stay', () => {
    const xml = "<a b='\u0085\u202e'>\u009b</a>\r\n";
    const shown = escapeControlsInXml(xml);
    expect(shown).toBe("<a b='&#x85;&#x202e;'>&#x9b;</a>\r\n");
    expect(parseXml(shown).root.text).toBe(parseXml(xml).root.text);
  });
});

describe('the output of a command', () => {
  it('is written by the one function that escapes it', () => {
    const files = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    const writers = files.filter((file) =>
      /process\.std(out|err)\.write|console\./.test(readFileSync(join(REPOSITORY, 'src', file), 'utf8')),
    );
    // The progress bar moves the cursor; the start script reports that standard output cannot be written.
    expect(writers.sort()).toEqual(['cli/io/terminal.ts', 'cli/render/progress.ts', 'cli/start.ts']);
  });
});
