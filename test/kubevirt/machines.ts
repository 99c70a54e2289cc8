/** The virtual machines whose start is recorded, on hosts of `samples/hosts`. */
export interface Machine {
  readonly name: string;
  /** The host: a file of `samples/hosts`. */
  readonly host: string;
  readonly vmi: object;
  /** Devices of the host to put behind the SMMU of another device. */
  readonly behind?: Readonly<Record<string, string>>;
  /** The devices that the device plugin gives to each resource. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
  /** The feature gates IOMMUFD and PCINUMAAwareTopology. */
  readonly iommufd?: boolean;
  readonly numaTopology?: boolean;
  /** The aliases of the GPUs to which the feature gate GraceIOVirtualization applies. */
  readonly grace?: readonly string[];
  readonly cpuSet?: readonly number[];
}

interface Options {
  readonly gpus?: readonly string[];
  readonly others?: readonly string[];
  readonly interfaces?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly dedicated?: number;
}

const MIB = (n: number) => `${n}Mi`;

function vmi(name: string, { gpus = [], others = [], interfaces = 1, annotations = {}, dedicated }: Options): object {
  const networks = Array.from({ length: interfaces }, (_, n) => `net${n}`);
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { name, namespace: 'default', uid: '4f8bb2f5-0000-4000-8000-7f2c1d1c86a2', annotations },
    spec: {
      architecture: 'arm64',
      domain: {
        machine: { type: 'virt' },
        firmware: { uuid: '4f8bb2f5-6a1c-5b0e-9a39-7f2c1d1c86a2', bootloader: { efi: { secureBoot: false } } },
        cpu: {
          cores: dedicated ?? 4,
          model: 'host-passthrough',
          ...(dedicated !== undefined && { dedicatedCpuPlacement: true, numa: { guestMappingPassthrough: {} } }),
        },
        memory: { guest: MIB(2048), ...(dedicated !== undefined && { hugepages: { pageSize: '2Mi' } }) },
        resources: { requests: { memory: MIB(2048) } },
        devices: {
          autoattachGraphicsDevice: false,
          disks: [{ name: 'rootdisk', disk: { bus: 'virtio' } }],
          interfaces: networks.map((network, n) => ({
            name: network,
            model: 'virtio',
            macAddress: `52:54:00:6b:3c:5${n}`,
            masquerade: {},
          })),
          gpus: gpus.map((deviceName, n) => ({ name: `gpu${n}`, deviceName })),
          hostDevices: others.map((deviceName, n) => ({ name: `device${n}`, deviceName })),
        },
      },
      networks: networks.map((network) => ({ name: network, pod: {} })),
      volumes: [{ name: 'rootdisk', persistentVolumeClaim: { claimName: name } }],
    },
  };
}

const GPU = 'nvidia.com/GPU';
const NIC = 'nvidia.com/NIC';
const NVME = 'samsung.com/NVME';
const annotations = { 'vsmmu.io/libvirt': '12.8.0' };
const policy = (keys: string) => ({ ...annotations, 'vsmmu.io/policy': keys });
const gh200 = {
  host: 'gh200.json',
  resources: { [GPU]: ['0009:01:00.0'], [NIC]: ['0000:01:00.2'], [NVME]: ['0006:01:00.0'] },
};
const gb200 = {
  host: 'gb200.json',
  resources: {
    [GPU]: ['0008:01:00.0', '0009:01:00.0', '0018:01:00.0', '0019:01:00.0'],
    [NIC]: ['0002:03:00.0', '0012:03:00.0'],
  },
};

export const MACHINES: readonly Machine[] = [
  {
    name: 'one-interface',
    ...gh200,
    vmi: vmi('one-interface', { others: [NIC], annotations: policy('{"ssidsize": 0, "oas": 44}') }),
  },
  { name: 'two-interfaces', ...gh200, vmi: vmi('two-interfaces', { others: [NIC, NVME], interfaces: 2, annotations }) },
  { name: 'four-interfaces', ...gh200, vmi: vmi('four-interfaces', { others: [NIC], interfaces: 4, annotations }) },
  { name: 'no-interface', ...gh200, vmi: vmi('no-interface', { others: [NIC, NVME], interfaces: 0, annotations }) },
  {
    name: 'spare-ports',
    ...gh200,
    vmi: vmi('spare-ports', { others: [NIC], annotations: policy('{"sparePorts": 1}') }),
  },
  {
    name: 'initiators',
    ...gh200,
    cpuSet: [0, 1, 2, 3],
    vmi: vmi('initiators', { gpus: [GPU], others: [NIC], dedicated: 4, annotations }),
  },
  {
    name: 'numa-create',
    ...gh200,
    vmi: vmi('numa-create', { gpus: [GPU], others: [NIC], annotations: policy('{"numa": "create"}') }),
  },
  {
    name: 'numa-topology',
    ...gb200,
    numaTopology: true,
    cpuSet: [0, 1, 72, 73],
    vmi: vmi('numa-topology', { others: [NIC, NIC], dedicated: 4, annotations }),
  },
  {
    name: 'grace',
    ...gb200,
    numaTopology: true,
    grace: ['gpu-gpu0', 'gpu-gpu1', 'gpu-gpu2', 'gpu-gpu3'],
    cpuSet: [0, 1, 72, 73],
    vmi: vmi('grace', { gpus: [GPU, GPU, GPU, GPU], others: [NIC, NIC], dedicated: 4, annotations }),
  },
  {
    name: 'joined',
    ...gb200,
    numaTopology: true,
    grace: ['gpu-gpu0'],
    cpuSet: [0, 1, 72, 73],
    behind: { '0002:03:00.0': '0008:01:00.0' },
    vmi: vmi('joined', { gpus: [GPU], others: [NIC], dedicated: 4, annotations }),
  },
  {
    name: 'relayout',
    ...gb200,
    numaTopology: true,
    grace: ['gpu-gpu0', 'gpu-gpu1'],
    cpuSet: [0, 1, 72, 73],
    vmi: vmi('relayout', {
      gpus: [GPU, GPU],
      others: [NIC, NIC],
      dedicated: 4,
      annotations: policy('{"relayout": true}'),
    }),
  },
];
