#!/bin/sh
# define.sh OPTION…: defines a domain from options of virt-install, with its host devices behind vSMMUs.
# If any step fails, nothing is defined and the exit code is not 0.
set -e
# Step by step: in a pipeline, virsh would not notice that a program before it failed.
xml=$(virt-install "$@" --print-xml)
xml=$(printf '%s\n' "$xml" | timeout -k 5 60 vsmmu rewrite --libvirt here --qemu here -)
printf '%s\n' "$xml" | virsh define /dev/stdin
