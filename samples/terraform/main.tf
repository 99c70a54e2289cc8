# Defines a domain with the provider dmacvicar/libvirt 0.9, and places its host devices behind vSMMUs.
terraform {
  required_providers {
    libvirt = {
      source  = "dmacvicar/libvirt"
      version = "~> 0.9"
    }
  }
}

variable "uri" {
  default = "qemu:///system"
}

provider "libvirt" {
  uri = var.uri
}

resource "libvirt_domain" "guest" {
  name        = "guest"
  type        = "kvm"
  memory      = 16
  memory_unit = "GiB"
  vcpu        = 8
  # convert.sh starts it; the provider would start it before it is converted.
  running = false
  os = {
    type         = "hvm"
    type_arch    = "aarch64"
    type_machine = "virt"
    firmware     = "efi"
  }
  features = { acpi = true }
  cpu      = { mode = "host-passthrough" }
  devices = {
    hostdevs = [
      {
        managed    = true
        subsys_pci = { source = { address = { domain = 9, bus = 1, slot = 0, function = 0 } } }
      },
    ]
  }
}

# After a change, the provider defines the domain again, unconverted, so convert.sh has to run again.
resource "terraform_data" "vsmmu" {
  triggers_replace = [libvirt_domain.guest]
  provisioner "local-exec" {
    command = "${path.module}/convert.sh"
    environment = {
      LIBVIRT_DEFAULT_URI = var.uri
      DOMAIN              = libvirt_domain.guest.name
      VSMMU_MODE          = "warn"
    }
  }
}
