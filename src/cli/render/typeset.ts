import type { WriteStream } from 'node:tty';
import { styleText } from 'node:util';
import { showsColours } from '../io/terminal.js';

/** The width of text output, in columns. */
export const WIDTH = 80;

type Paint = (text: string) => string;

/** Returns a function per colour. They change nothing unless a stream is a terminal that shows colours. */
export function colours(stream: WriteStream = process.stdout) {
  const isShown = showsColours(stream);
  const paint = (name: Parameters<typeof styleText>[0]): Paint =>
    isShown ? (text) => styleText(name, text, { validateStream: false }) : (text) => text;
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

/** Wraps text into indented lines that fit the width, each with a line end. */
export function paragraph(text: string, indent = '  ', width = WIDTH): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    if (line.length > indent.length && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
    }
    line += (line.length > indent.length ? ' ' : '') + word;
  }
  return `${[...lines, line].join('\n')}\n`;
}

/** Returns a title with a paragraph below it. */
export function listItem(title: string, text: string): string {
  return `${title}\n${paragraph(text)}`;
}

/** Returns a list item, with its continuation lines indented further. */
export function item(text: string, indent: string): string {
  const lines = paragraph(text, `${indent}  `);
  return `${indent}${lines.slice(indent.length + 2)}`;
}

/** Returns a section with its title; empty if the body is empty. */
export function section(title: string, body: string): string {
  return body === '' ? '' : `\n${colours().bold(title)}\n${body}`;
}
