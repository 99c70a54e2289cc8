import type { WriteStream } from 'node:tty';
import pc from 'picocolors';
import { showsColours } from '../io/terminal.js';

/** How wide what people read is. */
export const WIDTH = 80;

/** Colours where a stream is a terminal that shows them; else none. */
export function colours(stream: WriteStream = process.stdout): ReturnType<typeof pc.createColors> {
  return pc.createColors(showsColours(stream));
}

/** Words in lines that fit the width, indented, each with a line end. */
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

/** A title and, below it, what is said of it. */
export function listItem(title: string, text: string): string {
  return `${title}\n${paragraph(text)}`;
}

/** A line of a list, its further lines further in. */
export function item(text: string, indent: string): string {
  const lines = paragraph(text, `${indent}  `);
  return `${indent}${lines.slice(indent.length + 2)}`;
}

/** The title of a section and what stands below it; nothing where nothing does. */
export function section(title: string, body: string): string {
  return body === '' ? '' : `\n${colours().bold(title)}\n${body}`;
}
