/** The order in which libvirt 12.8 prints children, for each element in which vsmmu adds some. */
export const CHILD_ORDER: Readonly<Record<string, readonly string[]>> = {
  domain: (
    'metadata maxMemory memory currentMemory blkiotune memtune memoryBacking vcpu vcpus iothreads iothreadids ' +
    'defaultiothread cputune numatune iommufd resource sysinfo bootloader os idmap features cpu clock on_poweroff ' +
    'on_reboot on_crash on_lockfailure pm perf devices'
  ).split(' '),
  devices: (
    'controller lease filesystem interface smartcard serial parallel console channel input tpm graphics audio sound ' +
    'video hostdev redirdev redirfilter hub watchdog memballoon rng nvram panic shmem memory iommu vsock crypto pstore'
  ).split(' '),
  features: ['ras', 'ps2', 'aia', 'virtualization'],
  memoryBacking: ['hugepages', 'nosharepages', 'locked', 'source', 'access', 'allocation', 'discard'],
  hostdev: ['driver', 'source', 'rom', 'acpi', 'address'],
  interface: ['driver', 'source', 'rom', 'acpi', 'address'],
};
