import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/** Returns the text of a document, by its path in the repository. */
export const documentText = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/**
 * Replaces the output that a document shows. A block that begins with `PROMPT command` contains commands, each followed by its
 * output.
 * @param prompt `$` for commands that run anywhere, `#` for those that need libvirt and root (the lab)
 * @param run returns what a command prints, standard output and standard error in one
 */
export async function withOutput(
  markdown: string,
  prompt: '$' | '#',
  run: (command: string) => string | Promise<string>,
): Promise<string> {
  let result = '';
  let end = 0;
  for (const block of markdown.matchAll(/^```\n([\s\S]*?)^```$/gm)) {
    const [, body = ''] = block;
    if (!body.startsWith(`${prompt} `)) continue;
    result += markdown.slice(end, block.index);
    const commands = body.split(new RegExp(`^(?=\\${prompt} )`, 'm')).map((shown) => shown.split('\n', 1)[0] ?? '');
    const parts: string[] = [];
    for (const line of commands) parts.push(`${line}\n${withNewline((await run(line.slice(2))).trimEnd())}`);
    result += `\`\`\`\n${parts.join('\n')}\`\`\``;
    end = block.index + block[0].length;
  }
  return result + markdown.slice(end);
}

const withNewline = (text: string): string => (text === '' ? '' : `${text}\n`);
