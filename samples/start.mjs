// npm start: converts a sample domain for a sample host and shows what changes. It writes no file.
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

console.log(`${domain} for ${host}: ${placed.length} of ${plan.devices.length} host devices get one of ${vsmmus} vSMMUs.
Converted: ${addresses(({ verdict }) => verdict === 'placed')} are each behind the vSMMU of their own SMMU.
Not converted: ${addresses(({ reason }) => reason === 'group-shared')} share an IOMMU group, and would not work behind a vSMMU.
Not converted: ${addresses(({ reason }) => reason === 'device-without-group')} is in no IOMMU group, and cannot be assigned to a guest at all.
No file was changed; this is the difference. Read next: "Use it" in README.md, and samples/README.md for more to try.
`);
process.exitCode = run(['rewrite', '--diff'], 'inherit').status;
