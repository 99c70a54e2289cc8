import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAILURES } from '../samples/programs.js';
import { asTcg, withEmulatedDevices } from './domain.js';
import { ownExecutable } from './executable.js';
import { requirePrograms } from './jail.js';
import type { Result } from './process.js';
import { makeKeys, RemoteHost } from './remote-host.js';
import { rootPath } from './rootfs.js';

const samples = fileURLToPath(new URL('../../samples', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-platforms-'));
/** The domain of a sample, for the lab. */
const sample = (name: string): string => asTcg(readFileSync(join(samples, `domains/${name}.xml`), 'utf8'));
const gh200 = sample('gh200-vm');
const startable = withEmulatedDevices(sample('virtio-only'));
const nameOf = (xml: string): string => /<name>(.*)<\/name>/.exec(xml)?.[1] ?? '';

/** Options that every command needs here: a sample host, no KVM. */
const options = `--topology ${samples}/hosts/gh200.json --force-tcg`;
/** The `vsmmu` of the host. Its options come first, since a domain's name comes last. */
const working = `case $1 in
  batch) shift 2 && set -- batch convert ${options} --state /run/vsmmu "$@" ;;
  *) shift && set -- rewrite ${options} "$@" ;;
esac
exec ${ownExecutable()} "$@"`;

let host: RemoteHost;
beforeAll(async () => {
  requirePrograms({ groovy: 'groovy', 'virt-install': 'virtinst' });
  await makeKeys(folder);
  host = await RemoteHost.start(folder);
  const root = rootPath();
  // The libvirt and QEMU that are installed there, for `--libvirt here --qemu here`, are the lab's.
  await host.jail.output(['rm', '-rf', '/usr/share/libvirt/schemas']);
  await host.jail.output(['mkdir', '-p', '/usr/share/libvirt']);
  await host.jail.output(['ln', '-s', `${root}/usr/share/libvirt/schemas`, '/usr/share/libvirt/schemas']);
  const libraries = `--library-path ${root}/usr/lib/x86_64-linux-gnu`;
  const qemu = `${root}/usr/lib64/ld-linux-x86-64.so.2 ${libraries} ${root}/usr/bin/qemu-system-aarch64`;
  await program('qemu-system-aarch64', `exec ${qemu} "$@"`);
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await program('vsmmu', working);
  for (const name of ['gh200-vm', 'guest', 'virtio-only'])
    await sh(`virsh destroy ${name}; virsh undefine --nvram ${name}`);
});

/** Installs a program on the host, or removes it. */
async function program(name: string, script: string | undefined): Promise<void> {
  const path = `/usr/local/bin/${name}`;
  await host.jail.output(['rm', '-f', path]);
  if (script === undefined) return;
  await host.jail.put(path, `#!/bin/sh\n${script}\n`);
  await host.jail.output(['chmod', '755', path]);
}

/** Runs a shell command on the host. */
function sh(command: string, input?: string): Promise<Result> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8', LIBVIRT_DEFAULT_URI: 'qemu:///system' };
  return host.jail.run(['sh', '-c', command], { env, ...(input !== undefined && { input }) });
}

/** The definition of a domain of the host's libvirt; undefined if there is no such domain. */
async function defined(name: string): Promise<string | undefined> {
  const { code, stdout } = await sh(`virsh dumpxml --inactive ${name}`);
  return code === 0 ? stdout : undefined;
}

const isRunning = async (name: string): Promise<boolean> =>
  (await sh(`virsh domstate ${name}`)).stdout.startsWith('running');

const vsmmus = (xml: string | undefined): number => xml?.match(/<driver pciBus='\d+' accel='on'/g)?.length ?? 0;

describe('virt-install', () => {
  const device = ["@mode='subsystem'", "@type='pci'"].map(
    (attribute) => `./devices/hostdev/${attribute.replaceAll("'", '')}`,
  );
  const source = ['domain=0x0009', 'bus=0x01', 'slot=0', 'function=0'].map(
    (at) => `./devices/hostdev/source/address/@${at}`,
  );
  // The host has no such device to name in --hostdev, and no KVM.
  const machine =
    '--virt-type qemu --arch aarch64 --cpu cortex-a72 --name guest --memory 1024 --osinfo linux2022 --boot uefi';
  const without = '--disk none --network none --graphics none';
  const hostdev = [...device, ...source].map((xml) => `--xml ${xml}`).join(' ');
  const define = (how: string, settings = '') =>
    sh(`${settings}${samples}/virt-install/define.sh ${machine} ${without} ${how} ${hostdev}`);

  it('prints a domain that is converted and defined', async () => {
    const { code, stderr } = await define('--import');
    expect(code, stderr).toBe(0);
    expect(vsmmus(await defined('guest'))).toBe(1);
  });

  it.each(FAILURES)('defines nothing if vsmmu %s', async (_, script) => {
    await program('vsmmu', script);
    expect((await define('--import', 'VSMMU_LIMIT=2 ')).code).not.toBe(0);
    expect(await defined('guest')).toBeUndefined();
  });

  it('defines nothing if virt-install prints the two domains of an installation', async () => {
    const { code, stderr } = await define('--pxe');
    expect(code).toBe(2);
    expect(stderr).toContain('a second root element');
    expect(await defined('guest')).toBeUndefined();
  });
});

describe('Terraform', () => {
  /** Defines a domain as the provider does (Create of internal/provider/domain_resource.go, commit 6bd1e07), then provisions. */
  const apply = async (xml: string, mode = 'warn'): Promise<Result> => {
    await sh('cat | virsh define /dev/stdin', xml);
    return await sh(`DOMAIN=${nameOf(xml)} VSMMU_MODE=${mode} VSMMU_LIMIT=20 ${samples}/terraform/convert.sh`);
  };

  it('converts the domain that the provider defined, then starts it', async () => {
    const { stderr } = await apply(gh200);
    expect(vsmmus(await defined('gh200-vm'))).toBe(3);
    expect(stderr, 'the host has no such device').toContain("Failed to start domain 'gh200-vm'");
  });

  it('starts a domain that needs no vSMMU', async () => {
    expect(await apply(startable)).toMatchObject({ code: 0 });
    expect(await isRunning('virtio-only')).toBe(true);
  });

  it.each([
    ['fails', 'exit 1', 'warn', 0, true],
    ['fails', 'exit 1', 'enforce', 1, false],
    ['hangs', 'exec sleep 600', 'warn', 0, true],
    ['hangs', 'exec sleep 600', 'enforce', 1, false],
  ])('if vsmmu %s (%s) and the mode is %s, ends with %i; the domain runs: %o', async (_, script, mode, code, runs) => {
    await program('vsmmu', script);
    expect(await apply(startable, mode)).toMatchObject({ code });
    expect(await isRunning('virtio-only')).toBe(runs);
  });
});

describe("Ansible's community.libvirt", () => {
  const play = async (...extra: readonly string[]): Promise<Result> => {
    const file = join(folder, 'variables.json');
    writeFileSync(file, JSON.stringify({ vsmmu_domain: gh200 }));
    const variables = [`@${file}`, 'ansible_python_interpreter=/usr/bin/python3', ...extra];
    const given = variables.map((each) => `--extra-vars ${each}`).join(' ');
    return await sh(`ansible-playbook -i localhost, --connection local ${given} ${samples}/ansible/define.yml`);
  };

  it('defines the converted domain, and reports no change the second time', async () => {
    const first = await play();
    expect(first.stdout).toMatch(/changed=1 .*failed=0/);
    expect(vsmmus(await defined('gh200-vm'))).toBe(3);
    expect((await play()).stdout).toMatch(/changed=0 .*failed=0/);
  });

  it.each(FAILURES)('defines the domain as it is, or nothing with enforce, if vsmmu %s', async (_, script) => {
    await program('vsmmu', script);
    expect((await play('vsmmu_limit=2', 'vsmmu_mode=enforce')).code).toBe(2);
    expect(await defined('gh200-vm')).toBeUndefined();
    expect((await play('vsmmu_limit=2')).stdout).toMatch(/changed=1 .*failed=0/);
    expect(vsmmus(await defined('gh200-vm'))).toBe(0);
  });
});

describe("CloudStack's agent", () => {
  /**
   * Calls the transformer as the agent does (`handle` of LibvirtKvmAgentHook, `performXmlTransformHook` of
   * LibvirtStartCommandWrapper): runs the script, calls the method of its result, and keeps the domain after an exception.
   * Repeats this for each `vsmmu`, and writes each resulting domain to a file.
   */
  const caller = `
def programs = new groovy.json.JsonSlurper().parse(new File('${folder}/programs.json'))
def logger = new Expando(warn: { println "warn $it" }, info: { println "info $it" })
def xml = new File('${folder}/domain.xml').getText('UTF-8')
programs.eachWithIndex { script, i ->
  def file = new File('/usr/local/bin/vsmmu')
  file.delete()
  if (script != null) { file.text = '#!/bin/sh\\n' + script + '\\n'; file.setExecutable(true) }
  def result = null
  try {
    def object = new GroovyScriptEngine('${samples}/cloudstack').run('libvirt-vm-xml-transformer.groovy', new Binding())
    result = (String) object.invokeMethod('transform', [logger, xml] as Object[])
  } catch (Exception e) { println "exception $e" }
  new File("${folder}/result-\${i}.xml").setText(result ?: xml, 'UTF-8')
}`;

  it('gets the converted domain, or the domain as it is if vsmmu fails in any way', async () => {
    const xml = readFileSync(join(samples, 'cloudstack/domain.xml'), 'utf8').replace("type='kvm'", "type='qemu'");
    writeFileSync(join(folder, 'domain.xml'), xml);
    writeFileSync(join(folder, 'caller.groovy'), caller);
    writeFileSync(
      join(folder, 'programs.json'),
      JSON.stringify([working, ...FAILURES.map(([, script]) => script ?? null)]),
    );
    const main = 'java -Dvsmmu.limit=5 -cp /usr/share/java/groovy-all.jar groovy.ui.GroovyMain';
    const { code, stdout, stderr } = await sh(`${main} ${folder}/caller.groovy`);
    expect(code, stderr).toBe(0);
    expect(stdout).not.toContain('exception');
    expect(stdout.match(/^warn vsmmu rewrite failed/gm)).toHaveLength(FAILURES.length);
    const result = (i: number) => readFileSync(join(folder, `result-${i}.xml`), 'utf8');
    for (const i of FAILURES.keys()) expect(result(i + 1)).toBe(xml);
    expect(vsmmus(result(0))).toBe(2);

    const accepted = result(0).replace("mode='host-passthrough'", "mode='custom'><model>cortex-a72</model></cpu");
    expect(
      await sh('cat | virsh define /dev/stdin', accepted.replace(/<\/cpu><topology[^>]*>/, '')),
      stdout,
    ).toMatchObject({ code: 0 });
    expect(vsmmus(await defined('i-2-8-VM'))).toBe(2);
  });
});
