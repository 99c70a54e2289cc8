import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

const BOUND = `<numatune>
  <memnode cellid='0' mode='strict' nodeset='0'/>
  <memnode cellid='1' mode='strict' nodeset='1'/>
</numatune>`;

/** NUMA cells, Generic Initiators, and the space for BARs. */
export const numa = {
  'numa-cell-unknown': {
    why: `An expander bus belongs on the guest's NUMA cell whose memory and CPUs are on the host node of its SMMU, so that the guest's
      drivers work near the device. Which cell that is, <numatune> or the pinning of its vCPUs tells; here neither does,
      or the cell reaches over several nodes.`,
    remedy: `Bind each cell to one node of the host, or pin its vCPUs to that node's CPUs.`,
    example: BOUND,
  },
  'numa-cell-differs': {
    why: `The expander bus names a cell, by hand or since an earlier run, that stands for another host node than its devices are on.
      Everything works; the guest just takes far memory for near.`,
    remedy: `Change the <node>, or remove it and rewrite: the nearest cell is then chosen.`,
    example: `<target busNr='250'><node>1</node></target>`,
  },
  'numa-node-unknown': {
    why: `Generic Initiators need distances to every cell with memory. They are the host's distances, so it has to be known
      which host node each cell stands for.`,
    remedy: `Bind each cell to one node, or do without Generic Initiators.`,
    example: BOUND,
  },
  'numa-node-shared': {
    why: `Two cells of the guest are on one node of the host, which has one distance to each Generic Initiator: the cells
      cannot be told apart by it.`,
    remedy: `Bind each cell to a node of its own, make one cell of the two, or do without Generic Initiators.`,
    example: BOUND,
  },
  'numa-distance-missing': {
    why: `The distances come from the host's firmware, and for a pair of its nodes there is none: that is so when a node has
      come or gone while it was read, or in a snapshot made by hand.`,
    remedy: `Look at what the host says, and take the snapshot anew.`,
    example: `vsmmu topology
cat /sys/devices/system/node/node0/distance`,
  },
  'numa-cells-exhausted': {
    why: `Each GPU of some platforms brings eight Generic Initiators, a cell each, and QEMU has room for 128 cells in all.`,
    remedy: `Give the domain fewer such devices, or leave Generic Initiators out: the GPU's memory is then no node of the guest,
      and what divides the GPU (MIG) cannot have its own.`,
    example: `vsmmu rewrite --initiators none vm.xml`,
  },
  'numa-cells-many': {
    why: `An arm64 Linux is built for 16 nodes unless it is told otherwise (CONFIG_NODES_SHIFT=4, as Debian's), and it drops
      those beyond with a line in its log.`,
    remedy: `See how the guest's kernel is built.`,
    example: `grep CONFIG_NODES_SHIFT /boot/config-$(uname -r)   # in the guest`,
  },
  'initiators-left-out': {
    why: `Generic Initiators are NUMA cells beside those of CPUs and memory, and this domain has no cells at all. Without them
      the guest's driver cannot bring the GPU's memory in as a node.`,
    remedy: `Have one cell of all CPUs and memory made, or write the domain's <numa> yourself.`,
    example: `vsmmu rewrite --numa create vm.xml`,
  },
  'initiator-nodes-partial': {
    why: `The host's kernel links Generic Initiator nodes to some of its devices only, so that the rest cannot be told apart.
      Which nodes are a GPU's, some kernels say only while its driver is loaded.`,
    remedy: `Load the device's host driver once before it is given away, or take a snapshot then and use that.`,
    example: `vsmmu topology --json > host.json   # with the driver loaded
vsmmu rewrite --topology host.json vm.xml`,
  },
  'initiator-nodes-missing': {
    why: `The platform gives each of these devices eight Generic Initiator nodes, and the host's kernel shows fewer: it is
      built for too few nodes, or its firmware hides them.`,
    remedy: `Look at what the kernel shows, and how many nodes it is built for.`,
    example: `cat /sys/devices/system/node/has_generic_initiator
grep CONFIG_NODES_SHIFT /boot/config-$(uname -r)`,
  },
  'initiator-cell-missing': {
    why: `QEMU makes a Generic Initiator of each cell that <acpi nodeset> names, and says "Specified node 5 is invalid" where
      the domain has no such cell.`,
    remedy: `Add the cells, without CPUs and memory, or remove the <acpi nodeset>: a rewrite then makes both.`,
    example: `<cell id='2' memory='0' unit='KiB'/>
<acpi nodeset='2-9'/>`,
  },
  'pcihole64-off': {
    why: `<pcihole64> says how much address space the guest's firmware has for 64-bit BARs. 0 switches it off, and the
      devices' large BARs find no place.`,
    remedy: `Remove it; what the devices need is then put there.`,
    example: `<controller type='pci' index='0' model='pcie-root'>
  <pcihole64 unit='KiB'>0</pcihole64>   <!-- remove this -->
</controller>`,
  },
  'pcihole64-exhausted': {
    why: `The sum of the BARs, rounded up to a power of two, has to fit below the end of the guest's address space: 44 bits
      are 16 TiB in all, so 8 TiB for BARs.`,
    remedy: `Give the domain fewer such devices, or 48 bits where the host's SMMUs and CPUs have them.`,
    example: `vsmmu rewrite --oas 48 vm.xml`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
