# First process of a jail: makes the mounts, prints its process ID when it is ready, and waits.
# Everything in the jail is in its PID and mount namespaces, so no process and no mount outlives it.
# Arguments: the folder that becomes /; `writable`, `readonly` or `machine` (this computer's own /);
# when it ends: at the end of its `input`, or when it is `killed`; a folder of this computer that becomes /mnt,
# and a folder for an overlay, which keeps writes away from the root (both may be empty).
set -eu
root=$1 mode=$2 lasting=$3 shared=$4 overlay=$5

# /proc is still that of this computer, so this is the process ID for nsenter.
read -r pid rest </proc/self/stat

if [ -n "$overlay" ]; then
  mkdir -p "$overlay/upper" "$overlay/work" "$overlay/root"
  mount -t overlay -o "lowerdir=$root,upperdir=$overlay/upper,workdir=$overlay/work" overlay "$overlay/root"
  root=$overlay/root
fi

if [ "$mode" = machine ]; then
  mount -t proc proc /proc
else
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/vfio" "$root/dev/net"
  # net/tun: domxml-to-native turns every <interface> into a tap device (libvirt 12.8), in the jail's own network.
  for node in null zero full random urandom tty net/tun; do
    [ -e "/dev/$node" ] || continue
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
  done
  mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
  mount -t tmpfs tmpfs "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  for number in 0:stdin 1:stdout 2:stderr; do
    ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"
  done
fi

if [ "$mode" = readonly ]; then
  for folder in run tmp var/tmp var/log var/cache/libvirt var/lib/libvirt; do
    mount -t tmpfs -o mode=755 tmpfs "$root/$folder"
  done
  mkdir -p "$root/var/log/libvirt/qemu" "$root/tmp/libvirt"
  cp -a "$root/etc/libvirt/." "$root/tmp/libvirt"
  mount -t tmpfs -o mode=755 tmpfs "$root/etc/libvirt"
  cp -a "$root/tmp/libvirt/." "$root/etc/libvirt"
  rm -r "$root/tmp/libvirt"
  # libvirt needs these to give an address to a PCI hostdev, or to make a command line with one (libvirt 12.8).
  : >"$root/dev/vfio/vfio"
  : >"$root/dev/iommu"
  mount -t tmpfs tmpfs "$root/sys/kernel/iommu_groups"
  mkdir "$root/sys/kernel/iommu_groups/0"
  mount -o remount,bind,ro "$root"
fi

if [ -n "$shared" ]; then
  mount --bind "$shared" "$root/mnt"
fi

# Both wait for any child, so orphaned processes are reaped (libvirt would take a zombie for a running QEMU).
if [ "$lasting" = input ]; then
  stay='cat >/dev/null'
else
  stay='while :; do sleep 3600; done'
fi

# Its process ID is printed last, after the change to the new root, because a process that enters the jail gets the current root
# of this one.
if [ "$mode" = machine ]; then
  echo "$pid"
  eval "$stay"
else
  exec chroot "$root" /bin/sh -c "echo $pid; $stay; exit"
fi
