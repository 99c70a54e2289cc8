#!/bin/sh
# Prints what this guest sees of its PCI devices, SMMUs and NUMA nodes, for "vsmmu verify --guest-report". It only reads.
# Only root can read whether ATS and PASID are on, and on most systems the kernel's log.
LC_ALL=C
export LC_ALL

# Both set $value without starting a process: a guest with 200 ports has 2000 values to read.
content() { value=; [ -r "$1" ] && read -r value <"$1"; }
target() { value=; [ -e "$1" ] && cd -P "$1" 2>/dev/null && value=${PWD##*/}; }

# Prints ats= and pasid= of a device's extended configuration space: capabilities 0x000f and 0x001b of PCI Express.
capabilities() {
  od -An -v -tx1 "$1" 2>/dev/null | awk '
    function number(hex,  i, n) {
      for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
      return n
    }
    { for (i = 1; i <= NF; i++) byte[size++] = $i }
    END {
      # Without root rights, only the first 64 bytes can be read.
      if (size < 256) exit
      ats = pasid = "none"
      at = 256
      for (seen = 0; seen < 64 && at >= 256 && at + 8 <= size; seen++) {
        id = number(byte[at + 1] byte[at])
        if (id == 15) ats = number(byte[at + 7]) >= 128 ? "on" : "off"
        if (id == 27) pasid = number(byte[at + 6]) % 2 ? "on" : "off"
        at = int(number(byte[at + 3] byte[at + 2]) / 16)
      }
      print "ats=" ats " pasid=" pasid
    }'
}

echo 'vsmmu-guest-report 1'
content /proc/sys/kernel/osrelease
echo "kernel $value"

for link in /sys/class/iommu/smmu3.*; do
  [ -e "$link" ] || continue
  target "$link/device"
  echo "smmu ${link##*/} $value"
done

for link in /sys/bus/pci/devices/*; do
  cd -P "$link" 2>/dev/null || continue
  path=$PWD
  line=${path##*/}
  content "$path/vendor" && line="$line vendor=${value#0x}"
  content "$path/device" && line="$line device=${value#0x}"
  content "$path/numa_node" && line="$line node=$value"
  target "$path/driver" && case $value in
    *[!A-Za-z0-9_.-]*) line="$line driver=other" ;;
    *) line="$line driver=$value" ;;
  esac
  target "$path/iommu" && line="$line smmu=$value" && behind=yes || behind=
  content "$path/iommu_group/type" && line="$line type=$value"
  # A memory BAR (0x200) at address 0 is not placed; the first six lines are BARs.
  number=0
  unplaced=
  while [ $number -lt 6 ] && read -r start _ flags; do
    [ $(($start)) -eq 0 ] && [ $(($flags & 0x200)) -ne 0 ] && unplaced="$unplaced,$number"
    number=$((number + 1))
  done <"$path/resource"
  [ -n "$unplaced" ] && line="$line unplaced=${unplaced#,}"
  [ -n "$behind" ] && words=$(capabilities "$path/config") && line="$line${words:+ $words}"
  echo "pci $line"
done

for folder in /sys/devices/system/node/node*; do
  [ -e "$folder" ] || continue
  content "$folder/cpulist"
  cpus=$value
  content "$folder/distance"
  echo "node ${folder##*node} cpus=$cpus distances=$value"
done

if log=$(dmesg 2>/dev/null); then
  echo 'log'
  # Messages about SMMUs, and about drivers that failed.
  printf '%s\n' "$log" |
    grep -E 'arm-smmu-v3|CMDQV|probe with driver .* failed|failed with error -|nvme.*(failed|timeout)' |
    tail -n 100 | cut -c 1-300 | sed 's/^/log /'
fi
echo 'end'
