/** Sends the same requests to libvirt as a batch, without other work, and prints the milliseconds that they take. */
import { readFileSync } from 'node:fs';
import { Connection, type DomainUuid } from '../../src/libvirt/connection.js';

const definitions = JSON.parse(readFileSync('/tmp/definitions.json', 'utf8')) as [DomainUuid, string][];
await using connection = new Connection('qemu:///system');
const dump = { inactive: true, security: true };
const start = performance.now();
await connection.list();
for (const [uuid, xml] of definitions) {
  await connection.dumpXml(uuid, dump);
  await connection.dumpXml(uuid, dump);
  await connection.define(xml, { validate: true });
  await connection.dumpXml(uuid, dump);
}
process.stdout.write(`${performance.now() - start}\n`);
