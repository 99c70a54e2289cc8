#!/usr/bin/env bash
# Runs the unit tests that could depend on the installed libvirt and QEMU, in their own mount namespace:
#   test/other-libvirt.sh old    with those of this machine's Debian release; Debian 12 has libvirt 9.0 and QEMU 7.2
#   test/other-libvirt.sh none   without any
# Further arguments go to vitest. Nothing is installed: the packages are unpacked in a cache folder that is mounted over /usr.
set -euo pipefail
cd "$(dirname "$0")/.."

which=$1
shift
layer="${XDG_CACHE_HOME:-$HOME/.cache}/vsmmu-tests/$which"

make_old() {
  apt-get update -qq
  apt-get install --download-only --yes -qq --no-install-recommends -o "Dir::Cache::archives=$1" \
    libvirt-clients libvirt-daemon-system qemu-system-arm >/dev/null
  for package in "$1"/*.deb; do dpkg --extract "$package" "$1"; done
  rm -rf "$1"/*.deb "$1/partial" "$1/lock"
  for folder in bin lib sbin; do
    if [ -d "$1/$folder" ]; then mkdir -p "$1/usr/$folder" && cp -a "$1/$folder/." "$1/usr/$folder/"; fi
  done
}

# In overlayfs, a device 0/0 hides a file of the layers below.
make_none() {
  mkdir -p "$1"/usr/{bin,libexec,sbin,share}
  for file in bin/{virsh,qemu-system-aarch64,qemu-kvm} sbin/libvirtd libexec/qemu-kvm share/libvirt; do
    mknod "$1/usr/$file" c 0 0
  done
}

if [ ! -d "$layer" ]; then
  rm -rf "$layer.new" && mkdir -p "$layer.new"
  "make_$which" "$layer.new"
  mv "$layer.new" "$layer"
fi

affected=(test/cli/{hook,hook-failures,define,doctor,complete}.test.ts test/libvirt)
exec unshare --mount -- sh -c '
  mount -t overlay -o "lowerdir=$0/usr:/usr" overlay /usr || exit
  echo "virsh: $(virsh --version || echo none)"
  qemu-system-aarch64 --version || echo "QEMU: none"
  case $0 in */old) virsh --version && qemu-system-aarch64 --version ;; esac >/dev/null || exit
  exec node_modules/.bin/vitest run "$@"' "$layer" "${affected[@]}" "$@"
