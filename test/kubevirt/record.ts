/**
 * Records what KubeVirt passes to onDefineDomain, and writes test/fixtures/kubevirt/NAME/{machine.json,1.xml,2.xml,…}.
 * test/README.md describes how.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOwnExecutable } from '../lab/executable.js';
import { Lab } from '../lab/lab.js';
import { output } from '../lab/process.js';
import { Tool } from '../lab/tool.js';
import { MACHINES, type Machine } from './machines.js';
import { hostOf, writeSysfs } from './sysfs.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const PACKAGE = 'pkg/virt-launcher/virtwrap';

function build(checkout: string, goroot: string | undefined, folder: string): void {
  const go = goroot === undefined ? 'go' : join(goroot, 'bin/go');
  const env = {
    ...process.env,
    ...(goroot !== undefined && { GOROOT: goroot }),
    GOFLAGS: '-mod=vendor',
    GOTOOLCHAIN: 'local',
  };
  const run = (...args: string[]) => execFileSync(go, args, { cwd: checkout, env, stdio: 'inherit' });
  const tests = join(checkout, PACKAGE);
  // The test binary may contain only one test, so the package's own tests are moved away.
  const aside = mkdtempSync(join(checkout, 'aside-'));
  for (const name of readdirSync(tests))
    if (name.endsWith('_test.go')) renameSync(join(tests, name), join(aside, name));
  try {
    copyFileSync(here('record_test.go'), join(tests, 'record_test.go'));
    run('build', '-o', join(folder, 'sidecar-shim'), './cmd/sidecars');
    run('test', '-c', '-tags', 'libvirt_dlopen', '-o', join(folder, 'record'), `./${PACKAGE}`);
  } finally {
    rmSync(join(tests, 'record_test.go'), { force: true });
    for (const name of readdirSync(aside)) renameSync(join(aside, name), join(tests, name));
    rmSync(aside, { recursive: true });
  }
}

/** Stores each input, then answers it with vsmmu. */
const HOOK = `#!/bin/sh
n=$(ls /tmp/inputs | wc -l)
printf %s "$4" > /tmp/inputs/$((n + 1)).xml
exec /tmp/vsmmu/bin/onDefineDomain "$@"
`;

async function record(lab: Lab, machine: Machine): Promise<void> {
  const { name, host, behind, vmi, resources, cpuSet = [], grace = [], numaTopology = false, iommufd = true } = machine;
  const topology = hostOf(machine);
  const sysfs = mkdtempSync(join(tmpdir(), 'vsmmu-sysfs-'));
  writeSysfs(topology, sysfs);
  const archive = join(sysfs, '../', `${name}.tar`);
  await output(['tar', 'cf', archive, '-C', sysfs, '.']);
  await lab.jail.output(['sh', '-c', 'rm -rf /tmp/host /tmp/inputs; mkdir -p /tmp/host/sys /tmp/inputs']);
  await lab.jail.output(['tar', 'xf', '-', '-C', '/tmp/host/sys'], { input: readFileSync(archive) });
  rmSync(archive);
  rmSync(sysfs, { recursive: true });

  const cpus = topology.nodes.filter((node) => node.cpus !== '');
  const nodes = Object.fromEntries(
    cpus.map(({ id, cpus: list }) => {
      const [first = 0, last = first] = list.split('-').map(Number);
      return [id, Array.from({ length: last - first + 1 }, (_, n) => first + n)];
    }),
  );
  const given = { VMI: vmi, IOMMUFD: iommufd, NUMATopology: numaTopology, Grace: grace, CPUSet: cpuSet, Nodes: nodes };
  await lab.jail.put('/tmp/machine.json', JSON.stringify(given));
  const pools = Object.entries(resources).map(
    ([resource, bdfs]) => `PCI_RESOURCE_${resource.toUpperCase().replace(/[./-]/g, '_')}=${bdfs.join(',')}`,
  );
  const line = 'mount --bind /tmp/host/sys /sys; exec /tmp/record -test.run TestRecord -test.v';
  const { code, stdout, stderr } = await lab.run(
    ['env', ...pools, 'RECORDING=/tmp/machine.json', 'unshare', '--mount', 'sh', '-c', line],
    { limitSeconds: 120 },
  );
  if (code !== 0) process.stderr.write(`${name}: ${code}\n${stdout}${stderr}\n`);
  const folder = here(`../fixtures/kubevirt/${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const inputs = (await lab.jail.output(['ls', '/tmp/inputs'])).trim().split('\n');
  for (const input of inputs) {
    writeFileSync(join(folder, input), `${await lab.jail.output(['cat', `/tmp/inputs/${input}`])}\n`);
  }
  writeFileSync(join(folder, 'machine.json'), `${JSON.stringify({ host, behind, vmi }, null, 2)}\n`);
  await lab.run(['virsh', 'undefine', '--nvram', `default_${name}`]);
  process.stdout.write(`${name}: ${inputs.length} calls${code === 0 ? '' : ', then an error'}\n`);
}

const [checkout = '', goroot, ...only] = process.argv.slice(2);
const binaries = mkdtempSync(join(tmpdir(), 'vsmmu-kubevirt-'));
build(checkout, goroot, binaries);
await using lab = await Lab.start();
buildOwnExecutable();
await Tool.install(lab);
for (const name of ['sidecar-shim', 'record']) await lab.jail.put(`/tmp/${name}`, readFileSync(join(binaries, name)));
await lab.jail.put('/tmp/onDefineDomain', HOOK);
await lab.jail.output(['chmod', '+x', '/tmp/sidecar-shim', '/tmp/record', '/tmp/onDefineDomain']);
rmSync(binaries, { recursive: true });
// In a pod, the sidecar has its own folder below the one that virt-launcher searches.
const shim = `mkdir -p /run/kubevirt-hooks/shim; unshare --mount sh -c '
  mount --bind /run/kubevirt-hooks/shim /run/kubevirt-hooks
  exec /tmp/sidecar-shim --version v1alpha3' >/tmp/shim.log 2>&1 </dev/null &`;
await lab.jail.output([
  'env',
  'PATH=/tmp:/usr/bin:/bin',
  'VSMMU_SYSFS=/tmp/host/sys',
  'VSMMU_FORCE_TCG=1',
  'sh',
  '-c',
  shim,
]);
for (const machine of MACHINES) if (only.length === 0 || only.includes(machine.name)) await record(lab, machine);
