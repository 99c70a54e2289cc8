#!/bin/sh
# define.sh OPTION…: defines a domain from options of virt-install, with its host devices behind vSMMUs.
# If any step fails, nothing is defined and the exit code is not 0.
set -e
# Separate steps: in a pipeline, virsh would run even if a program before it fails.
xml=$(virt-install "$@" --print-xml)
# The exit code is 124 if vsmmu takes longer than $VSMMU_LIMIT seconds.
xml=$(printf '%s\n' "$xml" | timeout -k 5 "${VSMMU_LIMIT:-60}" vsmmu rewrite --libvirt here --qemu here -) || {
  code=$?
  echo "vsmmu rewrite failed with exit code $code; nothing is defined" >&2
  exit "$code"
}
printf '%s\n' "$xml" | virsh define /dev/stdin
