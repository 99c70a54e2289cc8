import { define, defineCases } from './diagnostic.js';

const BOUND = `<numatune>
  <memnode cellid='0' mode='strict' nodeset='0'/>
  <memnode cellid='1' mode='strict' nodeset='1'/>
</numatune>`;

const onNoCell = (smmu: string, why: string): string => `the expander bus of ${smmu} is put on no NUMA cell: ${why}`;

export const numaCellUnknown = defineCases('numa-cell-unknown', {
  severity: 'warning',
  messages: {
    severalNodes: (a: { smmu: string; nodes: string }) => onNoCell(a.smmu, `its devices are on host nodes ${a.nodes}`),
    unknownNode: (a: { smmu: string }) => onNoCell(a.smmu, 'the NUMA node of its devices is not known'),
    /** `unbound`: the cells that are bound to several nodes or none; empty if there are none. */
    noCell: (a: { smmu: string; node: number; unbound: string }) =>
      onNoCell(
        a.smmu,
        `no cell of the guest is known to be on host node ${a.node}${a.unbound === '' ? '' : `; cells ${a.unbound} are not bound to a single node`}`,
      ),
    severalCells: (a: { smmu: string; node: number; first: number; second: number }) =>
      onNoCell(a.smmu, `cells ${a.first} and ${a.second} are both on host node ${a.node}`),
  },
  hint: 'bind each cell to one node of the host: <numatune><memnode cellid nodeset>, or pin its vCPUs to it',
  meaning: 'an expander bus is put on no NUMA cell, because no cell is known to be on the host node of its devices',
  why: `An expander bus belongs on the guest's NUMA cell whose memory and CPUs are on the host node of its SMMU, so that the guest's
    drivers use memory near the device. <numatune> or the pinning of its vCPUs shows the node of a cell; here neither does, or
    the cell covers several nodes.`,
  remedy: `Bind each cell to one node of the host, or pin its vCPUs to that node's CPUs.`,
  example: BOUND,
});

export const numaCellDiffers = define('numa-cell-differs', {
  severity: 'warning',
  message: (a: { smmu: string; cell: number; nearest: number }) =>
    `the expander bus of ${a.smmu} is on NUMA cell ${a.cell}, and its devices are nearest to cell ${a.nearest}`,
  hint: 'change the <node> in its <target>, or remove it, so that vsmmu chooses',
  meaning: 'an existing expander bus is on another NUMA cell than the one nearest to its devices',
  why: `The <node> of the expander bus, set by hand or by an earlier run, is a cell on another host node than its devices.
    Everything works, but the guest uses distant memory as if it were near.`,
  remedy: `Change the <node>, or remove it and rewrite the domain: vsmmu then chooses the nearest cell.`,
  example: `<target busNr='250'><node>1</node></target>`,
});

export const numaCellMissing = define('numa-cell-missing', {
  severity: 'error',
  message: (a: { controller: number; cell: number }) =>
    `PCI controller ${a.controller} is on NUMA cell ${a.cell}, which the guest does not have`,
  hint: 'add the <cell>, or remove the <node>',
  meaning: 'an expander bus is on a NUMA cell that the guest does not have',
  why: `The <node> in the <target> of an expander bus is the id of one of the guest's own NUMA cells. libvirt refuses to define a
    domain without that cell, and QEMU reports "Illegal numa node".`,
  remedy: `Add the cell, or remove the <node>.`,
  example: `<target busNr='240'>
  <node>1</node>
</target>`,
});

export const numaNodeUnknown = define('numa-node-unknown', {
  severity: 'error',
  message: (a: { cell: number }) => `NUMA cell ${a.cell} of the guest is not bound to a single node of the host`,
  hint: 'bind it with <numatune><memnode cellid nodeset>, or give --initiators none',
  meaning:
    'the host node of a NUMA cell with memory is not known, so its distances to Generic Initiators are not known either',
  why: `Generic Initiators need distances to every cell with memory. vsmmu takes them from the host, so it must know the
    host node of each cell.`,
  remedy: `Bind each cell to one node, or do without Generic Initiators.`,
  example: BOUND,
});

export const numaNodeShared = define('numa-node-shared', {
  severity: 'error',
  message: (a: { first: number; second: number; node: number }) =>
    `NUMA cells ${a.first} and ${a.second} of the guest are both on node ${a.node} of the host`,
  hint: 'bind each cell to a node of its own, or give --initiators none',
  meaning:
    'two NUMA cells of the guest are on one node of the host, so their distances to Generic Initiators are ambiguous',
  why: `vsmmu takes the distance between two cells from the distance between their nodes on the host. For two cells on one node,
    that is 10, which stands for the distance within a cell.`,
  remedy: `Bind each cell to a node of its own, merge the two cells, or do without Generic Initiators.`,
  example: BOUND,
});

export const numaDistanceMissing = define('numa-distance-missing', {
  severity: 'error',
  message: (a: { from: number; to: number; cell: number; sibling: number; more: number }) =>
    `the host has no distance from node ${a.from} to node ${a.to} (cells ${a.cell} and ${a.sibling})${a.more > 0 ? `, and ${a.more} more` : ''}`,
  hint: 'see `vsmmu topology` for the distances, or give --initiators none',
  meaning: 'the host has no distance between two of its NUMA nodes',
  why: `The distances come from the host's firmware, and a pair of its nodes has none. This happens when a node appears or
    disappears while it is read, or in a snapshot made by hand.`,
  remedy: `Look at the distances of the host, and take a new snapshot.`,
  example: `vsmmu topology
cat /sys/devices/system/node/node0/distance`,
});

export const numaCellsExhausted = define('numa-cells-exhausted', {
  severity: 'error',
  message: (a: { needed: number; limit: number }) =>
    `${a.needed} NUMA cells are needed, and QEMU has room for ${a.limit}`,
  hint: 'give the domain fewer such devices, or --initiators none',
  meaning: 'more NUMA cells than QEMU has room for (128)',
  why: `Each GPU of some platforms needs eight Generic Initiators, one cell each, and QEMU has room for 128 cells.`,
  remedy: `Give the domain fewer such devices, or leave Generic Initiators out: the GPU's memory is then not a NUMA node of the
    guest, and partitions of the GPU (MIG) cannot have nodes of their own.`,
  example: `vsmmu rewrite --initiators none vm.xml`,
});

export const numaCellsMany = define('numa-cells-many', {
  severity: 'note',
  message: (a: { cells: number }) => `the guest gets ${a.cells} NUMA cells`,
  hint: 'check that its kernel has CONFIG_NODES_SHIFT=6 or more',
  meaning: 'the guest gets more NUMA cells than an arm64 Linux supports by default (16); its kernel ignores the rest',
  why: `An arm64 Linux supports 16 nodes by default (CONFIG_NODES_SHIFT=4, as in Debian). It ignores the others and logs a line
    about them.`,
  remedy: `Check how the guest's kernel is configured.`,
  example: `grep CONFIG_NODES_SHIFT /boot/config-$(uname -r)   # in the guest`,
});

export const initiatorsLeftOut = define('initiators-left-out', {
  severity: 'warning',
  message: (a: { devices: readonly string[] }) =>
    `the Generic Initiators of ${a.devices.join(', ')} are left out, because the guest has no NUMA cells`,
  hint: 'give --numa create, or --initiators none to accept that',
  meaning: 'a device has Generic Initiators, and the guest has no NUMA cells to which they could be added',
  why: `Generic Initiators are NUMA cells beside those of CPUs and memory, and this domain has no cells. Without them the guest's
    driver cannot add the GPU's memory as a node.`,
  remedy: `Let vsmmu create one cell with all CPUs and memory, or write the domain's <numa> yourself.`,
  example: `vsmmu rewrite --numa create vm.xml`,
});

export const initiatorNodesPartial = defineCases('initiator-nodes-partial', {
  severity: 'error',
  messages: {
    none: (a: { device: string; linked: string }) =>
      `the host links Generic Initiator nodes to ${a.linked}, and none to ${a.device}`,
    some: (a: { device: string; nodes: number; needed: number }) =>
      `the host links ${a.nodes} Generic Initiator nodes to ${a.device}, which needs ${a.needed}`,
  },
  hint: "check that the devices' host driver is loaded, or give --initiators none",
  meaning: 'the host links Generic Initiator nodes to some of its devices, and not to others',
  why: `The host's kernel links Generic Initiator nodes to some of its devices only, so the nodes of the others are not known. Some
    kernels show the nodes of a GPU only while its driver is loaded.`,
  remedy: `Load the device's host driver once before the device is assigned, or take a snapshot while it is loaded and use that.`,
  example: `vsmmu topology --json > host.json   # with the driver loaded
vsmmu rewrite --topology host.json vm.xml`,
});

export const initiatorNodesMissing = define('initiator-nodes-missing', {
  severity: 'error',
  message: (a: { nodes: number; needed: number; devices: readonly string[] }) =>
    `the host has ${a.nodes} Generic Initiator nodes, and its devices need ${a.needed}: none are left for ${a.devices.join(', ')}`,
  hint: 'check that its kernel shows them (/sys/devices/system/node/has_generic_initiator), or give --initiators none',
  meaning: 'the host has fewer Generic Initiator nodes than its devices need',
  why: `The platform gives each of these devices eight Generic Initiator nodes, and the host's kernel shows fewer: it supports too
    few nodes, or its firmware hides them.`,
  remedy: `Check which nodes the kernel shows, and how many it supports.`,
  example: `cat /sys/devices/system/node/has_generic_initiator
grep CONFIG_NODES_SHIFT /boot/config-$(uname -r)`,
});

export const initiatorCellMissing = define('initiator-cell-missing', {
  severity: 'error',
  message: (a: { device: string; cells: string }) =>
    `the Generic Initiators of ${a.device} are in NUMA cells ${a.cells}, which the guest does not have`,
  hint: 'add the <cell>, or remove the <acpi nodeset>',
  meaning: "a device's `<acpi nodeset>` names a NUMA cell that the guest does not have; QEMU refuses it",
  why: `QEMU makes a Generic Initiator of each cell that <acpi nodeset> names, and reports "Specified node 5 is invalid" if the
    domain has no such cell.`,
  remedy: `Add the cells, without CPUs and memory, or remove the <acpi nodeset>: vsmmu rewrite then adds both.`,
  example: `<cell id='2' memory='0' unit='KiB'/>
<acpi nodeset='2-9'/>`,
});
