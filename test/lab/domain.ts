/** Concessions that a domain makes to the lab, on XML as libvirt prints it (`dumpxml`: single quotes, one element a line). */

/** No KVM for Arm here: the type is `qemu`, and the CPU one that QEMU can emulate. */
export function asTcg(xml: string): string {
  return xml
    .replace(/(<domain\b[^>]*\btype=)(['"])(?:kvm|hvf)\2/, '$1$2qemu$2')
    .replace(
      /<cpu\b[^>]*\bmode=(['"])(?:host-passthrough|host-model|maximum)\1[^>/]*(?:\/>|>([\s\S]*?)<\/cpu>)/,
      (_all, _quote, inner) => {
        const numa = /<numa>[\s\S]*?<\/numa>/.exec(String(inner ?? ''))?.[0] ?? '';
        return `<cpu mode='custom' match='exact'><model>cortex-a72</model>${numa}</cpu>`;
      },
    );
}

/**
 * The form of which libvirt can make a command line: an interface that is a host device fails in `domxml-to-native`
 * (libvirt 12.8: it makes a tap device of every interface first), so it becomes the hostdev that it is.
 */
export function forCommandLine(xml: string): string {
  return xml.replace(
    /<interface type='hostdev'([^>]*)>([\s\S]*?)<\/interface>/g,
    (_all, managed: string, inner: string) => {
      const source = /<source>[\s\S]*?<\/source>/.exec(inner)?.[0].replace(/ type='pci'/, '') ?? '';
      const driver = /<driver\b[^>]*\/>/.exec(inner)?.[0] ?? '';
      const address = inner.replace(/<source>[\s\S]*?<\/source>/, '').match(/<address type='pci'[^>]*\/>/)?.[0] ?? '';
      return `<hostdev mode='subsystem' type='pci'${managed}>${driver}${source}${address}</hostdev>`;
    },
  );
}
