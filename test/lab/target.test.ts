import { afterAll, beforeAll, expect, it } from 'vitest';
import { UPSTREAM } from '../../src/domain/target.js';
import { type Installed, resolveTarget, SCHEMA_FILES, withMachines } from '../../src/libvirt/installed.js';
import { Lab } from './lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

it('the libvirt and QEMU of the lab have the capabilities of the current upstream', async () => {
  const installed: Installed = {
    schema: () => lab.jail.output(['cat', ...SCHEMA_FILES]),
    smmuHelp: () => lab.jail.output(['qemu-system-aarch64', '-M', 'virt', '-device', 'arm-smmuv3,help']),
    machineHelp: () => lab.jail.output(['qemu-system-aarch64', '-M', 'help']),
  };
  const target = await resolveTarget({ libvirt: 'here', qemu: 'here' }, installed);
  const { machines } = (await withMachines(target, installed)).qemu;
  expect([...(machines ?? [])]).toEqual(expect.arrayContaining(['virt', 'virt-11.1', 'sbsa-ref']));
  const { libvirt, qemu } = UPSTREAM;
  expect(target).toEqual({
    libvirt: { ...libvirt, name: 'the installed libvirt' },
    qemu: { ...qemu, name: 'the installed QEMU' },
  });
});
