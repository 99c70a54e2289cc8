import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviceOf, type QemuOption } from './argv.js';
import { sampleCases } from './cases.js';
import { Lab, restartLibvirtd } from './lab.js';
import { commandLine, definedAs, tryDomain } from './trial.js';
import { revert, rewrite } from './vsmmu.js';

const KEYS = ['--rom-bar', 'off', '--ras', 'on', '--huge-pages'];
const PAGES = '/dev/hugepages';
const cases = sampleCases()
  .filter(({ title }) => /^(gh200|arm-server)-vm/.test(title))
  .flatMap((each) =>
    ['on', '2M'].map((size) => ({
      ...each,
      title: `${each.title}, huge pages ${size}`,
      options: [...each.options, ...KEYS, size],
    })),
  );

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
  // libvirt finds the mount when it starts. No page is needed for a command line.
  await lab.jail.output(['sh', '-c', `mkdir -p ${PAGES} && mount -t hugetlbfs -o pagesize=2M none ${PAGES}`]);
  await restartLibvirtd(lab);
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

describe("libvirt keeps the policy's settings, QEMU gets them, and revert removes them:", () => {
  it.for(cases.map((each) => [each.title, each] as const))('%s', async ([, each], { task }) => {
    const { original, plan, rewritten, dump } = await tryDomain(lab, each);
    task.meta.lab = { defined: 2, compared: 1 };
    expect(dump, 'as libvirt prints it').toBe(rewritten);
    expect(await rewrite(dump, each.options), 'the second run changes nothing').toBe(dump);
    expect(await revert(dump)).toBe(original);
    expect(await definedAs(lab, await revert(dump))).toBe(original);

    const placed = plan.devices.filter(({ verdict }) => verdict === 'placed').map(({ bdf }) => bdf);
    expect(plan.settings).toMatchObject({ romBars: placed, ras: true });
    const { options } = await commandLine(lab, dump);
    const valuesOf = (name: string) => options.flatMap((option) => (option.name === name ? (option.value ?? '') : []));
    expect(valuesOf('-machine').join().split(',')).toContain('ras=on');
    expect(valuesOf('-object').filter((value) => value.includes('memory-backend-file')).length).toBeGreaterThan(0);
    expect(valuesOf('-object').join()).toContain(`${PAGES}/libvirt/qemu`);
    // `forCommandLine` turns an interface into a hostdev without <rom>.
    const hostdevs = plan.devices.filter(({ verdict, element }) => verdict === 'placed' && element === 'hostdev');
    expect(options.filter(hasNoRom)).toHaveLength(hostdevs.length);
  });
});

function hasNoRom(option: QemuOption): boolean {
  const device = deviceOf(option);
  return device?.driver === 'vfio-pci' && Number(device.rombar) === 0;
}
