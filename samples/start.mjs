// npm start: converts a sample domain for a sample host and prints the diff. It writes no file.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [domain, host] = ['samples/domains/ml-train.xml', 'samples/hosts/host-a.json'];
const run = (args, stdout) =>
  spawnSync(process.execPath, ['bin/vsmmu', ...args, '--topology', host, domain], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', stdout, 'ignore'],
    encoding: 'utf8',
  });

const { plan } = JSON.parse(run(['plan', '--json'], 'pipe').stdout);
const addresses = (wanted) =>
  plan.devices
    .filter(wanted)
    .map(({ bdf }) => bdf)
    .join(' and ');
const placed = plan.devices.filter(({ verdict }) => verdict === 'placed');
const vsmmus = new Set(placed.map(({ smmu }) => smmu)).size;

console.log(`${domain} for ${host}: ${placed.length} of ${plan.devices.length} host devices are placed behind ${vsmmus} vSMMUs.
Placed: ${addresses(({ verdict }) => verdict === 'placed')}, each behind the vSMMU of its own SMMU.
Stay on pcie.0: ${addresses(({ reason }) => reason === 'group-shared')} share an IOMMU group; behind a vSMMU they would not work.
Cannot be assigned: ${addresses(({ reason }) => reason === 'device-without-group')} is in no IOMMU group; remove it from the domain.
No file was changed; the diff follows. Read next: "Use it" in README.md; samples/README.md has more to try.
`);
process.exitCode = run(['rewrite', '--diff'], 'inherit').status;
