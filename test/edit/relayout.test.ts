import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { withoutExpanderBuses } from '../../src/edit/undo/relayout.js';
import { revert } from '../../src/edit/undo/revert.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { at, expander, hostdev, port, rng, vsmmu } from '../plan/example.js';
import { domain, host, meaning, rewritten } from './example.js';

function relaidOut(xml: string, policy: Partial<Policy> = {}): { xml: string; codes: string[] } {
  const { domain: cleared, diagnostics } = withoutExpanderBuses(parseDomain(xml));
  const { plan: made } = plan(cleared, host, { ...DEFAULT_POLICY, ...policy });
  return { xml: rewrite(cleared, made), codes: diagnostics.map((d) => d.code) };
}

/** The codes for which a domain is refused. */
function refusal(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof RefusedError) {
      return error.diagnostics.filter((d) => d.severity === 'error').map((d) => d.code);
    }
    throw error;
  }
  return [];
}

const withoutRecord = (xml: string) => xml.replace(/ *<metadata>[\s\S]*<\/metadata>\n/, '');
const add = (xml: string, device: string) => xml.replace('  </devices>', `  ${device}\n  </devices>`);
const remove = (xml: string, bus: number) =>
  xml.replace(new RegExp(` *<hostdev[^\\n]*bus='${bus}'/></source>[\\s\\S]*?</hostdev>\\n`), '');

const ONE = domain(port(1), port(2), hostdev(1, at(1)));

describe('a rewritten domain', () => {
  it('gets the same plan from --relayout as the original domain', () => {
    const policy: Partial<Policy> = { grouping: 'device', sparePorts: 1 };
    expect(relaidOut(rewritten(ONE), policy)).toEqual({ xml: rewritten(ONE, policy), codes: [] });
  });

  it('is not changed by --relayout if it has the planned layout already', () => {
    expect(relaidOut(rewritten(ONE)).xml).toBe(rewritten(ONE));
  });

  it('gets another device on its existing expander bus if that has free bus numbers', () => {
    const more = add(rewritten(ONE, { busWindow: 9 }), hostdev(3));
    const [expanderBus, ...others] = plan(parseDomain(more), host, DEFAULT_POLICY).plan.expanderBuses;
    expect(others).toEqual([]);
    expect(expanderBus).toMatchObject({ kept: true, ports: [{ kept: true }, { kept: false }] });
    const after = rewritten(more);
    expect(rewritten(after)).toBe(after);
    expect(meaning(revert(parseDomain(after)).xml)).toEqual(meaning(add(ONE, hostdev(3))));
  });

  it('gets a second expander bus for another device if no bus number is free, and a single one after --relayout', () => {
    const more = add(rewritten(ONE, { busWindow: 0 }), hostdev(3));
    expect(parseDomain(rewritten(more)).iommus).toHaveLength(2);
    const { xml, codes } = relaidOut(more);
    expect(codes).toEqual([]);
    expect(meaning(withoutRecord(xml))).toEqual(meaning(withoutRecord(rewritten(add(ONE, hostdev(3))))));
    expect(rewritten(xml)).toBe(xml);
  });

  it('loses the vSMMU of an expander bus without devices, and keeps its ports for another device', () => {
    const two = add(rewritten(add(ONE, hostdev(2, at(2)))), '');
    const less = remove(two, 2);
    const after = parseDomain(rewritten(less));
    expect(after.iommus.map((i) => i.pciBus)).toEqual([3]);
    expect(after.controllers.map((c) => c.index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const again = parseDomain(rewritten(add(after.document.text, hostdev(2))));
    expect(again.iommus.map((i) => i.pciBus)).toEqual([3, 5]);
    expect(again.hostDevices.map((d) => d.address?.bus)).toEqual([4, 6]);
    expect(again.controllers.length).toBe(7);
  });

  it('loses an expander bus without devices after --relayout', () => {
    const less = remove(rewritten(add(ONE, hostdev(2, at(2)))), 2);
    expect(meaning(withoutRecord(relaidOut(less).xml))).toEqual(meaning(withoutRecord(rewritten(ONE))));
  });
});

describe('a domain with expander buses made by hand', () => {
  const HAND_MADE = domain(port(1), expander(2, 240), port(3, at(2)), hostdev(1, at(3)), vsmmu(2));

  it('keeps a valid expander bus, and gets the missing parts', () => {
    const after = rewritten(HAND_MADE);
    expect(parseDomain(after).controllers.map((c) => c.busNr)).toEqual([undefined, undefined, 240, undefined]);
    expect(parseDomain(after).hostDevices[0]?.iommufd).toBe('yes');
    expect(revert(parseDomain(after)).xml).toBe(HAND_MADE);
  });

  it('is replaced by --relayout, and restored by revert', () => {
    const { xml, codes } = relaidOut(HAND_MADE);
    expect(codes).toEqual([]);
    expect(revert(parseDomain(xml)).xml).toBe(HAND_MADE);
    const after = parseDomain(xml);
    expect(after.controllers.map((c) => [c.index, c.busNr])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, 247],
      [3, undefined],
    ]);
    expect(after.controllers.at(-1)?.alias).toBe('ua-vsmmu-port-3');
  });

  it('is replaced by --relayout if its expander bus has an alias from the user', () => {
    const named = domain(port(1), expander(2, 240, 'ua-gpus'), port(3, at(2)), hostdev(1, at(3)), vsmmu(2));
    const { xml } = relaidOut(named);
    expect(parseDomain(xml).controllers.map((c) => c.busNr)).toEqual([undefined, undefined, 247, undefined]);
    expect(revert(parseDomain(xml)).xml).toBe(named);
  });

  it('is restored by revert except the address of a device that a user moved afterwards', () => {
    const two = domain(port(1), expander(2, 240), port(3, at(2)), hostdev(1, at(3)), vsmmu(2), rng(at(1)));
    const moved = (xml: string) => xml.replace(/(<rng[\s\S]*?)bus='[^']*' slot='[^']*'/, "$1bus='0' slot='20'");
    expect(meaning(revert(parseDomain(moved(relaidOut(two).xml))).xml)).toEqual(meaning(moved(two)));
  });

  it('is not restored, with a diagnostic, if another device uses its address by then', () => {
    const { xml } = relaidOut(
      domain(port(1), expander(2, 240).replace("slot='2'", "slot='9'"), port(3, at(2)), hostdev(1, at(3)), vsmmu(2)),
    );
    const taken = add(xml, rng(at(0, 9)));
    const { xml: after, diagnostics } = revert(parseDomain(taken));
    expect(diagnostics.map((d) => d.code)).toEqual(['expander-bus-not-restored', 'address-dropped']);
    const { controllers, iommus, hostDevices } = parseDomain(after);
    expect(controllers.map((c) => c.index)).toEqual([0, 1]);
    expect(iommus).toEqual([]);
    expect(hostDevices.map((d) => d.address)).toEqual([undefined]);
  });

  it('is replaced by --relayout also after a rewrite that kept its expander bus', () => {
    expect(relaidOut(rewritten(HAND_MADE)).xml).toBe(relaidOut(HAND_MADE).xml);
  });

  it('is not changed by a second --relayout', () => {
    const { xml } = relaidOut(HAND_MADE);
    expect(relaidOut(xml).xml).toBe(xml);
  });

  it('gets no diagnostic about a former address that is in use: the plan shows where the device goes', () => {
    const taken = rewritten(ONE).replace('</devices>', `  ${rng(at(1))}\n  </devices>`);
    expect(revert(parseDomain(taken)).diagnostics.map((d) => d.code)).toEqual(['address-dropped']);
    expect(relaidOut(taken).codes).toEqual([]);
  });

  it('is refused if its bus numbers, as libvirt assigns them, are too few, and accepted with --relayout', () => {
    const narrow = domain(
      ...[port(1), expander(2, 254), port(3, at(2)), port(4, at(2, 1)), expander(5, 252), port(6, at(5))],
      ...[hostdev(1, at(3)), hostdev(3, at(4)), hostdev(2, at(6)), vsmmu(2), vsmmu(5)],
    );
    expect(refusal(() => rewritten(narrow))).toEqual(['bus-window-too-small']);
    const after = parseDomain(relaidOut(narrow).xml);
    expect(after.controllers.flatMap((c) => c.busNr ?? [])).toEqual([238, 247]);
  });

  it('gets a note about each device that moves to a port of pcie.0, even if its document is one line', () => {
    const line = domain(port(1), expander(2, 240), port(3, at(2)), rng(at(2, 5)), hostdev(1, at(3)), vsmmu(2));
    const { xml, codes } = relaidOut(line.replaceAll(/\n\s*/g, ''));
    expect(codes).toEqual(['relayout-moved']);
    expect(parseDomain(xml).otherDevices.map((d) => d.address)).toEqual([{ bus: 2, slot: 0, function: 0 }]);
    expect(revert(parseDomain(xml)).xml).toBe(line.replaceAll(/\n\s*/g, ''));
  });

  it('keeps devices on an expander bus without a vSMMU', () => {
    const numa = domain(port(1), expander(2, 200), port(3, at(2)), rng(at(3)), hostdev(1, at(1)));
    const after = parseDomain(relaidOut(rewritten(numa)).xml);
    expect(after.otherDevices.map((d) => d.address?.bus)).toEqual([3]);
    expect(after.controllers.find((c) => c.index === 2)?.busNr).toBe(200);
  });
});

describe('an SMMU for the whole machine', () => {
  const machine = "<iommu model='smmuv3'/>";

  it.each([
    ['before the others', domain(machine, port(1), hostdev(1, at(1)))],
    ['after the devices', domain(port(1), hostdev(1, at(1)), machine)],
    ['beside an expander bus', domain(port(1), expander(2, 240), port(3, at(2)), hostdev(1, at(3)), vsmmu(2), machine)],
  ])('is limited to pcie.0 by rewrite, and restored by revert: %s', (_title, before) => {
    const after = rewritten(before);
    expect(
      parseDomain(after)
        .iommus.map((i) => i.pciBus)
        .sort(),
    ).toEqual([0, 2]);
    expect(rewritten(after)).toBe(after);
    expect(revert(parseDomain(after)).xml).toBe(before);
  });

  it('is restored if --relayout leads to another result', () => {
    const before = domain(port(1), port(2), hostdev(1, at(1)), hostdev(4, at(2)), machine);
    expect(refusal(() => rewritten(before))).toEqual(['iommu-conflict']);
    const dropped = rewritten(before, { emulatedIommu: 'drop' });
    expect(parseDomain(dropped).iommus.map((i) => i.pciBus)).toEqual([3]);
    expect(refusal(() => relaidOut(dropped))).toEqual(['iommu-conflict']);
    expect(relaidOut(dropped, { emulatedIommu: 'drop' }).xml).toBe(dropped);
  });
});

describe('conflicts with a vSMMU:', () => {
  it.each([
    ['another model', "<iommu model='intel'/>", 'iommu-conflict'],
    ['an accelerated SMMU of pcie.0', vsmmu(0), 'iommu-conflict'],
    ['an SMMU that names a root port', vsmmu(1), 'iommu-conflict'],
    ['an SMMU that names a missing controller', vsmmu(9), 'iommu-conflict'],
  ])('%s is an error, also with --relayout', (_title, device, code) => {
    const xml = domain(port(1), hostdev(1, at(1)), device);
    expect(refusal(() => rewritten(xml))).toContain(code);
    expect(refusal(() => relaidOut(xml))).toContain(code);
  });

  it('PCI devices in <qemu:commandline> are an error, unless the policy ignores them', () => {
    const xml = domain(port(1), hostdev(1, at(1))).replace(
      '</domain>',
      "  <q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-device'/><q:arg value='pxb-pcie,bus_nr=9'/></q:commandline>\n</domain>",
    );
    expect(refusal(() => rewritten(xml))).toEqual(['commandline-conflict']);
    const after = rewritten(xml, { ignoreCommandline: true });
    expect(revert(parseDomain(after)).xml).toBe(xml);
  });
});
