import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** Policy, command line, files and the host. */
export const outside = {
  usage: {
    why: `A command or an option is misspelt, lacks its value, or goes badly with another. After -- everything is a name of a
      file or a domain, whatever it looks like.`,
    remedy: `See what the command takes.`,
    example: `vsmmu rewrite --help
vsmmu rewrite --diff -- --odd-name.xml`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
