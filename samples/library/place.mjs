// node samples/library/place.mjs samples/domains/gh200-vm.xml samples/hosts/gh200.json > new.xml
import { readFileSync } from 'node:fs';
import { convert, DEFAULT_POLICY, parseDomain, readTopology, scanHost } from 'vsmmu';

const [file, topology] = process.argv.slice(2);
const host = topology ? readTopology(readFileSync(topology, 'utf8'), topology) : scanHost('/sys');
const policy = { ...DEFAULT_POLICY, sparePorts: 1 };
const { xml, diagnostics } = convert(parseDomain(readFileSync(file)), host, { policy });
for (const { severity, code, message } of diagnostics) console.error(`${severity}: ${code}: ${message}`);
process.stdout.write(xml);
