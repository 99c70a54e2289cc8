// node samples/library/place.mjs samples/domains/gh200-vm.xml samples/hosts/gh200.json > new.xml
import { readFileSync } from 'node:fs';
import { check, DEFAULT_POLICY, DiagnosedError, parseDomain, plan, readTopology, rewrite, scanHost } from 'vsmmu';

const [file, topology] = process.argv.slice(2);
try {
  const domain = parseDomain(readFileSync(file));
  // The snapshot of a host (vsmmu topology --json), or this one.
  const host = topology ? readTopology(readFileSync(topology, 'utf8'), topology) : scanHost('/sys');
  const { plan: placement, diagnostics } = plan(domain, host, { ...DEFAULT_POLICY, sparePorts: 1 });
  for (const { severity, code, message } of diagnostics) console.error(`${severity}: ${code}: ${message}`);

  const xml = rewrite(domain, placement);
  const errors = check(parseDomain(xml), host).filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('\n'));
  process.stdout.write(xml);
} catch (error) {
  // What the domain, the host or the policy has wrong comes as findings; anything else is a bug.
  if (!(error instanceof DiagnosedError)) throw error;
  for (const { code, message, hint } of error.diagnostics) console.error(`${code}: ${message}; ${hint ?? ''}`);
  process.exitCode = 1;
}
