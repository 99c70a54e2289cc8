#!/bin/sh
# define.sh OPTION…: defines a domain from options of virt-install, with its host devices behind vSMMUs.
# If any step fails, nothing is defined and the exit code is not 0.
set -e
# Separate steps: in a pipeline, virsh would run even if a program before it fails.
xml=$(virt-install "$@" --print-xml)
xml=$(printf '%s\n' "$xml" | timeout -k 5 60 vsmmu rewrite --libvirt here --qemu here -)
printf '%s\n' "$xml" | virsh define /dev/stdin
