/** The addresses on the host of the devices in host.json: firmware numbers buses in the order of that file. */
export const devices = {
  /** Two NVMe drives behind one SMMU. */
  first: '0000:11:00.0',
  second: '0000:12:00.0',
  /** A NIC whose two functions share an IOMMU group. */
  twins: ['0000:31:00.0', '0000:31:00.1'],
  /** An SR-IOV NIC and one of its VFs. */
  card: '0000:51:00.0',
  virtualFunction: '0000:51:10.0',
  /** Behind a switch without ACS: an NVMe drive and a NIC. */
  switchDrive: '0000:73:00.0',
  switchNic: '0000:74:00.0',
  /** An NVMe drive with two Generic Initiator nodes. */
  data: '0000:91:00.0',
  /** Behind no SMMU. */
  board: '0000:00:10.0',
} as const;
