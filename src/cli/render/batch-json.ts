import type { DomainResult } from '../../batch/item.js';
import { printJsonText } from '../io/terminal.js';
import type { BatchOutput, Differ } from './batch-rows.js';

/** Prints the JSON document domain by domain, because a batch can have a hundred thousand domains. */
export class JsonOutput implements BatchOutput {
  readonly #differ: Differ;
  #first = true;

  constructor(differ: Differ) {
    this.#differ = differ;
    printJsonText('{\n  "domains": [');
  }

  item(item: DomainResult): void {
    const { id, name, verdict, why, loses, devices, running, diagnostics } = item;
    const diff = this.#differ(item);
    const document = { id, name, verdict, why, loses, devices, running, diagnostics, diff };
    printJsonText(`${this.#first ? '' : ','}\n    ${JSON.stringify(document)}`);
    this.#first = false;
  }

  end(more: Readonly<Record<string, unknown>>): void {
    const rest = JSON.stringify(more, null, 2).replace(/^\{/, '');
    printJsonText(`${this.#first ? '' : '\n  '}],${rest}\n`);
  }
}
