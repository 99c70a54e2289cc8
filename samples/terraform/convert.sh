#!/bin/sh
# convert.sh: converts the domain $DOMAIN, which Terraform has defined in $LIBVIRT_DEFAULT_URI, and starts it.
#
# $VSMMU_MODE: if vsmmu fails, `warn` starts the unconverted domain; `enforce` does not start it, and `terraform apply` fails.
# $VSMMU_LIMIT: seconds that vsmmu may take; a conversion that is interrupted leaves the domain as it was, or converted.
if ! timeout -k 5 "${VSMMU_LIMIT:-120}" vsmmu batch convert --apply --libvirt here --qemu here -- "$DOMAIN"; then
  echo "vsmmu: $DOMAIN was not converted" >&2
  [ "$VSMMU_MODE" != enforce ] || exit 1
fi
[ "$(virsh domstate --domain "$DOMAIN")" = running ] || virsh start --domain "$DOMAIN"
