import { VERSION } from '../../src/version.js';
import { REPOSITORY } from './repository.js';
import { runProgram } from './run-program.js';

/** A release of vsmmu. */
export interface Release {
  readonly version: string;
  /** The time of all files in the packages: that of the commit, so that two builds give the same bytes. */
  readonly date: Date;
}

export const SUMMARY = 'place libvirt host devices behind one virtual SMMUv3 per SMMUv3';

/** The description of the packages, in lines of at most 75 characters. */
export const DESCRIPTION = [
  'vsmmu reads a libvirt domain XML of an Arm guest and finds the IOMMU group',
  'and the physical SMMUv3 of each PCI host device. It writes the domain back',
  'with one pcie-expander-bus and one virtual SMMUv3 per physical one, so that',
  'QEMU can give the guest hardware-accelerated nested translation.',
  '',
  'It works as the editor of "virsh edit", as the qemu hook of libvirt, and in',
  'batches over many domains with rollback.',
];

/**
 * Returns the release of these sources. SOURCE_DATE_EPOCH replaces the time of the commit.
 * @param version another version, for tests of upgrades
 */
export function release(version: string = VERSION): Release {
  const epoch =
    process.env.SOURCE_DATE_EPOCH ?? runProgram('git', ['log', '-1', '--format=%ct'], { cwd: REPOSITORY }).trim();
  return { version, date: new Date(Number(epoch) * 1000) };
}
