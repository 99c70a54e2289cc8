import {
  attachOptions,
  CONNECT_OPTIONS,
  checkOptions,
  DEFINE_OPTIONS,
  flag,
  HOST_OPTIONS,
  type OptionSpec,
  type OptionValues,
  OUTPUT_OPTIONS,
  PICTURE_OPTIONS,
  policyOptions,
  RESULT_OPTIONS,
  TARGET_OPTIONS,
} from './options.js';

/** A command of the tool: its words for `--help`, its options, and how to load the code that runs it. */
export interface Command {
  /** Its name and operands. */
  readonly usage: string;
  readonly summary: string;
  readonly options: () => Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly (readonly [line: string, what: string])[];
  readonly load: () => Promise<{ run: Run }>;
}

/** Runs a command with its operands and options; one whose answer may be no gives its exit code. */
type Run = (operands: readonly string[], options: OptionValues) => Promise<void> | Promise<number>;

/** The commands, by name. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  topology: {
    usage: 'topology',
    summary: "print the host's SMMUs and what is behind each",
    options: () => ({ ...HOST_OPTIONS, ...PICTURE_OPTIONS, ...OUTPUT_OPTIONS }),
    examples: [
      ['$0 topology', 'this host'],
      ['$0 topology --json > host.json', 'a snapshot of it, for --topology on another machine'],
      ['$0 topology --svg host.svg', 'a picture of it'],
    ],
    load: () => import('./topology.js'),
  },
  rewrite: {
    usage: 'rewrite [DOMAIN]',
    summary: 'print the domain with each host device behind the vSMMU of its SMMU',
    options: () => ({
      ...RESULT_OPTIONS,
      ...DEFINE_OPTIONS,
      ...HOST_OPTIONS,
      ...policyOptions(),
      ...TARGET_OPTIONS,
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['virsh dumpxml --inactive vm | $0 rewrite > new.xml', 'for this host'],
      ['$0 rewrite --diff vm.xml', 'see what would change'],
      ['$0 rewrite -i --backup .orig vm.xml', 'change the file, keep the old one'],
      ['$0 rewrite --topology host.json vm.xml', 'for another host'],
      ['$0 rewrite --connect qemu:///system --define vm', 'a domain of libvirt, for its next start'],
    ],
    load: () => import('./rewrite.js'),
  },
  plan: {
    usage: 'plan [DOMAIN]',
    summary: 'print where each device would go and why, without writing anything',
    options: () => ({
      ...CONNECT_OPTIONS,
      ...HOST_OPTIONS,
      ...policyOptions(),
      ...TARGET_OPTIONS,
      ...PICTURE_OPTIONS,
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['$0 plan vm.xml', 'a table'],
      ['$0 plan --json vm.xml', 'the plan as data'],
      ['$0 plan --svg vm.svg vm.xml', 'a picture'],
      ['$0 plan --format dot vm.xml | dot -Tpdf > vm.pdf', 'the picture in another form'],
    ],
    load: () => import('./plan.js'),
  },
  check: {
    usage: 'check [DOMAIN...]',
    summary: 'say what is wrong with domains on this host, converted or not',
    options: () => ({ ...CONNECT_OPTIONS, ...HOST_OPTIONS, ...checkOptions(), ...TARGET_OPTIONS, ...OUTPUT_OPTIONS }),
    examples: [
      ['$0 check vm.xml', 'for this host'],
      ['$0 check --connect qemu:///system', 'all domains of libvirt'],
      ['$0 check --no-host domains/*.xml', 'only what can be told from the XML, on any machine'],
    ],
    load: () => import('./check.js'),
  },
  revert: {
    usage: 'revert [DOMAIN]',
    summary: 'print the domain as it was before rewrite changed it',
    options: () => ({
      ...RESULT_OPTIONS,
      ...DEFINE_OPTIONS,
      force: flag('take out bridges for vSMMUs that no record tells of; libvirt then places the devices anew'),
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['virsh dumpxml --inactive --security-info vm | $0 revert > old.xml', 'a domain of libvirt'],
      ['$0 revert --diff vm.xml', 'see what would change'],
      ['$0 revert -i vm.xml', 'change the file'],
    ],
    load: () => import('./revert.js'),
  },
  attach: {
    usage: 'attach DOMAIN BDF',
    summary: 'print the <hostdev> for virsh attach-device, on a free port behind the vSMMU of its SMMU',
    options: () => ({ ...CONNECT_OPTIONS, ...HOST_OPTIONS, ...attachOptions(), ...OUTPUT_OPTIONS }),
    examples: [
      ['virsh dumpxml vm | $0 attach - 0000:31:10.2 > device.xml', 'then: virsh attach-device vm device.xml --live'],
    ],
    load: () => import('./attach.js'),
  },
  explain: {
    usage: 'explain [CODE]',
    summary: 'print what a diagnostic means, why it happens and what to do about it; without a code, list all',
    options: () => ({ json: flag('print one JSON document') }),
    examples: [
      ['$0 explain group-shared', 'what vm.xml:113:5: warning: group-shared: … is about'],
      ['$0 explain | less', 'all there are'],
    ],
    load: () => import('./explain.js'),
  },
};
