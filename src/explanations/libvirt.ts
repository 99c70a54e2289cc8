import type { DiagnosticCode } from '../codes.js';
import type { Explanation } from '../explanations.js';

/** A domain by its name, and the places where libvirt and virsh call. */
export const libvirt = {
  'domain-unknown': {
    why: `With --connect, the domain is looked up among all that the connection has, by its UUID and then by its name, whatever
      that looks like. None matches: it may be on another connection (qemu:///session is another than qemu:///system).`,
    remedy: `See what there is, and give the name as it stands there, or the UUID.`,
    example: `virsh --connect qemu:///system list --all --uuid --name`,
  },
  'libvirt-unreachable': {
    why: `libvirt is spoken to through virsh: that is not installed, could not connect, or had no answer within its time. A daemon
      that was there a moment ago, and is being restarted, is waited for.`,
    remedy: `See whether virsh itself gets an answer, as the same user.`,
    example: `virsh --connect qemu:///system version`,
  },
  'libvirt-refused': {
    why: `libvirt was asked and said no; the message has its own words. A domain is held against libvirt's schema before it is
      defined, so an element that this libvirt does not know is refused, too.`,
    remedy: `See what it complains of. Nothing was changed.`,
    example: `vsmmu rewrite vm.xml | virt-xml-validate - domain`,
  },
} as const satisfies Partial<Record<DiagnosticCode, Explanation>>;
