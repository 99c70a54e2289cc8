# Started by rc: prepares file systems, vsmmu, virtual functions, and libvirt.
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
ln -sf pts/ptmx /dev/ptmx
ln -sf /proc/self/fd /dev/fd
for folder in /dev/shm /run /tmp; do mount -t tmpfs tmpfs "$folder"; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo 1 >/proc/sys/kernel/printk
date -s "@$(cat /share/now)" >/dev/null
hostname arm-host
ip link set lo up
cp -a /share/vsmmu /opt/vsmmu
mkdir -p /run/guests
# For the shell on the console, to which init passes a shorter PATH.
echo "export PATH=$PATH" >/etc/profile

# Enables two virtual functions on each card that supports them.
for total in /sys/bus/pci/devices/*/sriov_totalvfs; do
  [ -e "$total" ] && echo 2 >"${total%/*}/sriov_numvfs"
done

virtlogd --daemon
libvirtd --daemon
