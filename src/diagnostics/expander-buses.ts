import { type Context, type Diagnostic, define, defineCases } from './diagnostic.js';

/** A limited resource, and how much of it a plan needs. */
interface Exhausted {
  /** The resource, in the plural: `PCI bus numbers`. */
  readonly what: string;
  readonly sum: number;
  readonly limit: number;
  readonly ledger: readonly { readonly consumer: string; readonly count: number }[];
  /** The options that save some of it, and how much each one saves. */
  readonly savings: readonly { readonly how: string; readonly saved: number; readonly isEnough: boolean }[];
}

/** The definition of a code for a limit. */
export type ExhaustedDefinition = (args: Exhausted & Context) => Diagnostic;

function exhausted({ what, sum, limit, ledger, savings }: Exhausted): { message: string; hint: string } {
  const parts = ledger.map(({ consumer, count }) => `${count} ${consumer}`).join(', ');
  const apart = sum <= limit ? ', and the free ones are not contiguous' : '';
  const hints = savings.map(
    ({ how, saved, isEnough }) => `${how} saves ${saved}${isEnough ? ', which is enough' : ''}`,
  );
  return {
    message: `${sum} of ${limit} ${what} are needed: ${parts}${apart}`,
    hint: hints.join('; ') || 'put devices on the --bypass list, or remove some from the domain',
  };
}

export const busNumbersExhausted = define('bus-numbers-exhausted', {
  severity: 'error',
  message: exhausted,
  meaning: "the guest's 256 PCI bus numbers are not enough; the message lists what uses them",
  why: `A guest has 256 PCI bus numbers. Every port below pcie.0 takes one. Every expander bus takes one for itself and one for each
    of its ports, spare ports included. If two ranges overlap, the guest's kernel panics while it scans PCI, so vsmmu never
    writes such a domain.`,
  remedy: `Use the option that saves most according to the message: fewer spare ports, a smaller --bus-window, several
    functions in one slot, --grouping smmu. Empty ports on pcie.0 take one each, too.`,
  example: `vsmmu plan --spare-ports 0 --bus-window 0 vm.xml`,
});

export const controllerIndexesExhausted = define('controller-indexes-exhausted', {
  severity: 'error',
  message: exhausted,
  meaning: "libvirt's 255 PCI controller indexes are not enough",
  why: `libvirt numbers PCI controllers from 0 to 255, and each expander bus and each port is one. It fills gaps in the numbers with
    root ports, so gaps count as well.`,
  remedy: `Remove empty ports, or put several functions of a device in one slot.`,
  example: `grep -c "type='pci' index=" vm.xml`,
});

export const slotsExhausted = define('slots-exhausted', {
  severity: 'error',
  message: exhausted,
  meaning: 'a PCI bus has fewer free slots than are needed',
  why: `A PCI bus has 32 slots, and slot 0 of pcie.0 belongs to the host bridge. Every expander bus takes a slot, and so
    does every root port that does not share one.`,
  remedy: `Let root ports share slots as functions (multifunction='on'), eight per slot, as libvirt does.`,
  example: `<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0' multifunction='on'/>`,
});

export const vsmmusExhausted = defineCases('vsmmus-exhausted', {
  severity: 'error',
  messages: {
    planned: exhausted,
    present: (a: { vsmmus: number; limit: number }) =>
      `the domain has ${a.vsmmus} vSMMUs, and QEMU has room for ${a.limit}`,
  },
  meaning: 'more vSMMUs than QEMU has room for (16)',
  why: `QEMU's virt machine has 64 interrupts for such devices, and an SMMU takes four, so there is room for 16, including one
    for pcie.0.`,
  remedy: `Use --grouping smmu instead of one expander bus per device, and --expander-buses used; or put some devices on the bypass
    list.`,
  example: `vsmmu plan --grouping smmu --expander-buses used vm.xml`,
});

export const busWindowTooSmall = defineCases('bus-window-too-small', {
  severity: 'error',
  messages: {
    /** `end` is the first bus number that another expander bus uses. */
    numbered: (a: { consumer: string; busNr: number; end: number; needed: number }) => ({
      message: `${a.consumer} ${a.end > a.busNr ? `has bus numbers ${a.busNr} to ${a.end - 1}` : `shares its busNr ${a.busNr} with another expander bus`} and needs ${a.needed}`,
      hint: 'give --relayout, which renumbers all expander buses and so moves the devices in the guest, or give this expander bus a lower busNr',
    }),
    unnumbered: (a: { consumer: string; window: number; needed: number }) => ({
      message: `${a.consumer} has no busNr; libvirt would leave it ${a.window} bus numbers, and it needs ${a.needed}`,
      hint: `give --relayout, or set a busNr that begins ${a.needed} free numbers`,
    }),
    root: (a: { needed: number; added: number; available: number }) => ({
      message: `pcie.0 needs ${a.needed} bus numbers${a.added > 0 ? `, including ${a.added} for ports that libvirt will add` : ''}, but has only ${a.available}`,
      hint: 'give the lowest expander bus a higher busNr, or remove ports from pcie.0',
    }),
  },
  meaning: 'an expander bus has fewer bus numbers than it and its ports need; the guest would panic',
  why: `An expander bus has the bus numbers from its busNr up to the busNr of the next expander bus. It needs one for itself and one
    for each port. With fewer, neither libvirt nor QEMU complains, and the guest's kernel panics.`,
  remedy: `Use --relayout, which renumbers all expander buses. In a domain written by hand, choose a lower busNr.`,
  example: `<target busNr='251'/>   <!-- 251, and 252 to 254 for three ports -->`,
});

export const expanderBusFull = define('expander-bus-full', {
  severity: 'note',
  /**
   * `full` is the index of the full expander bus; undefined for a new one. `limit` is how many devices the command queues of its
   * vSMMU allow, if that is the reason.
   */
  message: (a: { devices: readonly string[]; smmu: string; full: number | undefined; limit?: number | undefined }) => {
    const gets = `${a.devices.join(', ')} ${a.devices.length > 1 ? 'get' : 'gets'} a further expander bus for ${a.smmu}`;
    const bus = a.full === undefined ? 'the previous expander bus' : `expander bus ${a.full}`;
    if (a.limit === undefined) {
      const hint =
        '--relayout puts all devices of an SMMU behind one expander bus, and gives them new addresses in the guest';
      return { message: `${gets}: ${bus} is full`, hint };
    }
    const message = `${gets}: a vSMMU with command queues (cmdqv) takes ${a.limit} devices, and that of ${bus} has no room left`;
    return { message, hint: 'give --cmdqv off to have all of them behind one vSMMU' };
  },
  meaning:
    'an expander bus has no bus number or slot left for a device, or its vSMMU takes no more devices, so the device gets a further expander bus for its SMMU',
  why: `Every port takes a bus number. The bus numbers of an expander bus are contiguous: from its busNr to the next
    expander bus. If none is left, the device gets a further expander bus with a vSMMU for the same SMMU, which works as
    well. The existing expander buses keep their numbers, so that the devices keep their addresses in the guest. A vSMMU
    with command queues takes 16 devices.`,
  remedy: `Nothing needs to be done. With --relayout all devices of an SMMU are behind one expander bus again, or behind as
    few as its command queues allow.`,
  example: `vsmmu rewrite --relayout --diff vm.xml`,
});

export const sparePortsLeftOut = define('spare-ports-left-out', {
  severity: 'warning',
  /** `expanderBus` is the index of the expander bus; undefined for a new one. */
  message: (a: { expanderBus: number | undefined; smmu: string; room: number; lacking: number }) =>
    `${a.expanderBus === undefined ? 'the expander bus' : `expander bus ${a.expanderBus}`} of ${a.smmu} has room for only ${a.room} of ${a.lacking} more spare ports`,
  hint: '--relayout makes room for them, and gives its devices new addresses in the guest',
  meaning: 'an expander bus has no bus number or slot left for a spare port',
  why: `Every port takes a bus number and a slot, and the expander bus has none left below the next expander bus.`,
  remedy: `Use --relayout if the devices may get other addresses in the guest.`,
  example: `vsmmu rewrite --relayout --spare-ports 1 --diff vm.xml`,
});

export const switchNotMirrored = define('switch-not-mirrored', {
  severity: 'note',
  /** `limit`: the number of ports of a switch, if there are more devices. `options`: would put the devices below one switch. */
  message: (a: {
    devices: readonly string[];
    switch: string;
    limit?: number | undefined;
    options: readonly string[];
  }) => ({
    message: `${a.devices.join(', ')} are below the switch ${a.switch} on the host, but not all below one switch in the guest`,
    hint: a.limit === undefined ? mirrorHint(a.options) : `a switch has room for ${a.limit} devices`,
  }),
  meaning:
    'devices below one PCIe switch of the host are not all below one switch in the guest, so the guest does not see that they are near each other (a warning if one is an accelerator and `--mirror-switches` is off)',
  why: `Devices below one PCIe switch can send data to each other without passing the root complex, and programs such as
    NCCL decide by the guest's PCI tree whether they do (GPUDirect RDMA and Storage). With --mirror-switches, devices below
    one PCIe switch of the host get a switch in the guest. Even then, devices stay apart if an existing device would have to
    move, if the expander bus has no bus number left for another port, if there are more devices than the 32 ports of a
    switch, or if --grouping device gives each device an expander bus of its own.`,
  remedy: `Use --mirror-switches (the policy key mirrorSwitches). Add --relayout if devices that are already placed may get
    other addresses in the guest. vsmmu plan --locality shows how near the devices are to each other.`,
  example: `vsmmu rewrite -i --relayout --mirror-switches vm.xml`,
});

function mirrorHint(options: readonly string[]): string {
  const moves = options.includes('--relayout') ? ', and moves existing devices' : '';
  return `${options.join(' ')} puts them below one switch${moves}`;
}

const exposed = (port: number): string => `libvirt would give the port ${port}, which is behind a vSMMU, to`;

export const sparePortExposed = define('spare-port-exposed', {
  severity: 'error',
  message: (a: { port: number; devices: number }) =>
    `${exposed(a.port)} ${a.devices === 1 ? 'a device' : `one of ${a.devices} devices`} without an address`,
  hint: 'give each device an <address> on a port of pcie.0, or remove that port',
  meaning: 'libvirt would put an emulated device on a spare port behind a vSMMU, and QEMU would refuse it',
  why: `libvirt gives a device without an <address> the free port with the lowest index, even if vsmmu added that port. With an
    emulated device on a spare port behind an accelerated vSMMU, the domain does not start.`,
  remedy: `Define the domain first, so that each device has an address, and rewrite the domain that virsh dumpxml prints.`,
  example: `virsh define vm.xml
virsh dumpxml --inactive --security-info vm | vsmmu rewrite --spare-ports 2 > new.xml`,
});

export const sparePortUnguarded = define('spare-port-unguarded', {
  severity: 'warning',
  message: (a: { port: number }) => `${exposed(a.port)} a device that is added without an address`,
  hint: '--relayout adds enough ports on pcie.0 below it',
  meaning:
    'no free port of `pcie.0` has a lower index than a free port behind a vSMMU, so libvirt would use the latter first',
  why: `libvirt gives the next device that is attached without an <address>, such as a virtio disk, the free port with the lowest
    index. If that port is behind a vSMMU, QEMU does not start the domain until rewrite has moved the device to pcie.0. The
    same number of free ports on pcie.0, with lower indexes, prevents this.`,
  remedy: `Plan from scratch: --relayout adds these ports. Or give such a device an <address> on pcie.0 yourself.`,
  example: `vsmmu rewrite --relayout --spare-ports 2 vm.xml`,
});
