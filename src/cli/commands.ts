import { convertOptions, RUN_OPTIONS, STATE_OPTIONS } from './batch-options.js';
import {
  attachOptions,
  CONNECT_OPTIONS,
  checkOptions,
  DEFINE_OPTIONS,
  flag,
  HOST_OPTIONS,
  hookOptions,
  type OptionSpec,
  type OptionValues,
  OUTPUT_OPTIONS,
  PICTURE_OPTIONS,
  policyOptions,
  RESULT_OPTIONS,
  TARGET_OPTIONS,
  text,
} from './options.js';

/** A command of the tool: its words for `--help`, its options, and how to load the code that runs it. */
export interface Command {
  /** Its name and operands. */
  readonly usage: string;
  readonly summary: string;
  /** Whether only programs call it: it is in no list of commands. */
  readonly internal?: true;
  /** What findings are of that name no file; without it the domain that is its first operand. */
  readonly subject?: string;
  readonly options: () => Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly (readonly [line: string, what: string])[];
  readonly load: () => Promise<{ run: Run }>;
}

/** Runs a command with its operands and options; one whose answer may be no gives its exit code. */
type Run = (operands: readonly string[], options: OptionValues) => Promise<void> | Promise<number>;

const HOOK_FOLDER_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  dir: text("the folder of libvirt's hooks", { value: 'folder', defaultDescription: '/etc/libvirt/hooks' }),
  json: flag('print one JSON document'),
  quiet: flag('say nothing but errors'),
};

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
      guest: flag('print, too, what the guest will see: its lspci -tv and the id ranges of its IORT'),
      ...PICTURE_OPTIONS,
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['$0 plan vm.xml', 'what would change, and why'],
      ['$0 plan --guest vm.xml', 'and the PCI tree of the guest'],
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
      ['$0 check --fix --backup .orig vm.xml', 'rewrite the file if something is wrong with it'],
    ],
    load: () => import('./check.js'),
  },
  verify: {
    usage: 'verify DOMAIN',
    summary: 'say whether the running guest is what the plan says, and really nested',
    options: () => ({
      ...CONNECT_OPTIONS,
      'guest-script': flag('print the shell script that reports what a guest sees, for guests without a guest agent'),
      'guest-report': text('take what that script printed in the guest from this file; - for standard input', {
        value: 'file',
        conflicts: 'guest-script',
      }),
      monitor: flag("ask QEMU's monitor, too, for which libvirt marks the domain as tainted"),
      ...HOST_OPTIONS,
      ...policyOptions(),
      ...TARGET_OPTIONS,
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['$0 verify vm', 'a running domain of this host; the guest is asked through its guest agent'],
      ['$0 verify --guest-script | ssh guest sh -s | $0 verify --guest-report - vm', 'without a guest agent'],
      ['$0 verify --json vm', 'for programs; verified says whether nothing fails'],
    ],
    load: () => import('./verify.js'),
  },
  revert: {
    usage: 'revert [DOMAIN]',
    summary: 'print the domain as it was before rewrite changed it',
    options: () => ({
      ...RESULT_OPTIONS,
      ...DEFINE_OPTIONS,
      force: flag('take out expander buses for vSMMUs that no record tells of; libvirt then places the devices anew'),
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['virsh dumpxml --inactive --security-info vm | $0 revert > old.xml', 'a domain of libvirt'],
      ['$0 revert --diff vm.xml', 'see what would change'],
      ['$0 revert -i vm.xml', 'change the file'],
    ],
    load: () => import('./revert.js'),
  },
  edit: {
    usage: 'edit FILE',
    summary: "rewrite a domain's definition and open your own editor on it, for virsh edit",
    options: () => {
      const { json: _, ...output } = OUTPUT_OPTIONS;
      return {
        'no-editor': flag('rewrite only'),
        'check-only': flag('open the editor, and check what was made of it; rewrite nothing'),
        ...HOST_OPTIONS,
        ...policyOptions(),
        ...TARGET_OPTIONS,
        ...output,
      };
    },
    examples: [
      ["EDITOR='$0 edit' virsh edit vm", 'VSMMU_EDITOR, VISUAL or EDITOR is the editor that it opens'],
      ["EDITOR='$0 edit --no-editor' virsh edit vm", 'in a script'],
    ],
    load: () => import('./edit.js'),
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
  doctor: {
    usage: 'doctor',
    summary: 'say whether this machine can accelerate vSMMUs: its SMMUs, kernel, QEMU and libvirt',
    options: () => ({ ...HOST_OPTIONS, ...OUTPUT_OPTIONS }),
    examples: [
      ['$0 doctor', 'PASS, WARN or FAIL for each, and what to do about it'],
      ['$0 doctor --json', 'for programs; able says whether nothing fails'],
    ],
    load: () => import('./doctor.js'),
  },
  'hook install': {
    usage: 'hook install',
    summary: "have libvirt call vsmmu when a domain starts and stops (libvirt's qemu hook)",
    options: () => ({ ...hookOptions(), ...HOOK_FOLDER_OPTIONS }),
    examples: [
      ['$0 hook install', 'warns of domains that are not right for this host'],
      ['$0 hook install --hook enforce', 'refuses their start'],
      ['$0 hook install --convert-on-stop', 'converts them when they stop'],
    ],
    load: async () => ({ run: (await import('./hook-install.js')).install }),
  },
  'hook uninstall': {
    usage: 'hook uninstall',
    summary: 'take it out again',
    options: () => HOOK_FOLDER_OPTIONS,
    examples: [['$0 hook uninstall', '']],
    load: async () => ({ run: (await import('./hook-install.js')).uninstall }),
  },
  'hook status': {
    usage: 'hook status',
    summary: 'print whether it is installed, and what it does; exit code 1 where it is not, or cannot run',
    options: () => HOOK_FOLDER_OPTIONS,
    examples: [['$0 hook status', '']],
    load: async () => ({ run: (await import('./hook-install.js')).status }),
  },
  'hook refresh': {
    usage: 'hook refresh',
    internal: true,
    summary: 'bring the script of an installed hook up to date; an upgrade of the package calls this',
    options: () => HOOK_FOLDER_OPTIONS,
    examples: [['$0 hook refresh', '']],
    load: async () => ({ run: (await import('./hook-install.js')).refresh }),
  },
  'hook convert': {
    usage: 'hook convert UUID',
    internal: true,
    summary: 'convert a domain of libvirt for its next start, if it needs it; the hook calls this when it stops',
    options: () => {
      const { log: _, limit: __, libvirt: ___, qemu: ____, ...options } = hookOptions();
      return { ...CONNECT_OPTIONS, ...options };
    },
    examples: [['$0 hook convert 6f0f2a52-1b0c-4c7e-9d7e-2f6d2d7f4a11', '']],
    load: () => import('./hook-convert.js'),
  },
  'hook run': {
    usage: 'hook run GUEST OPERATION SUB-OPERATION EXTRA',
    internal: true,
    summary: 'answer libvirt, which has the domain on standard input; the hook calls this',
    options: hookOptions,
    examples: [['virsh dumpxml vm | $0 hook run -- vm prepare begin -', 'try it']],
    load: () => import('./hook-run.js'),
  },
  'on-define-domain': {
    usage: 'on-define-domain --vmi JSON --domain XML',
    internal: true,
    summary:
      "print a virtual machine's domain with its devices in place, for KubeVirt's sidecar-shim (bin/onDefineDomain)",
    options: () => ({
      vmi: text('the VirtualMachineInstance; vsmmu.io/policy among its annotations has keys of the policy'),
      domain: text('its domain, as KubeVirt would define it'),
    }),
    examples: [['onDefineDomain --vmi "$vmi" --domain "$xml"', 'as KubeVirt calls it']],
    load: () => import('./on-define-domain.js'),
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
  completion: {
    usage: 'completion SHELL',
    summary: 'print the completion script for bash, zsh or fish',
    options: () => ({}),
    examples: [
      ['eval "$($0 completion bash)"', 'in ~/.bashrc; zsh: in ~/.zshrc'],
      ['$0 completion fish | source', 'in ~/.config/fish/config.fish'],
    ],
    load: () => import('./completion.js'),
  },
  complete: {
    usage: 'complete -- WORD...',
    internal: true,
    summary: 'print what may come next on a command line; the completion scripts call this',
    options: () => ({}),
    examples: [['$0 complete -- rewrite --gr', '']],
    load: () => import('./complete.js'),
  },
  'batch convert': {
    usage: 'batch convert [NAME...]',
    subject: 'vsmmu',
    summary: 'convert many domains, of a libvirt or of a folder; tells only what it would do unless given --apply',
    options: () => ({ ...convertOptions(), ...TARGET_OPTIONS, ...OUTPUT_OPTIONS }),
    examples: [
      ['$0 batch convert --all', "what would happen to each domain of this machine's libvirt"],
      ['$0 batch convert --all --apply', 'do it'],
      ['$0 batch convert --dir domains --in-place --topology host.json --diff', 'the files of a folder'],
    ],
    load: () => import('./batch-convert.js'),
  },
  'batch resume': {
    usage: 'batch resume [RUN]',
    subject: 'vsmmu',
    summary: 'go on with a run that was interrupted, where it was',
    options: () => ({ ...RUN_OPTIONS, ...OUTPUT_OPTIONS }),
    examples: [['$0 batch resume', 'the last one']],
    load: () => import('./batch-resume.js'),
  },
  'batch rollback': {
    usage: 'batch rollback [NAME...]',
    subject: 'vsmmu',
    summary: 'give the domains of a run the XML back that they had before, byte for byte',
    options: () => ({
      run: text('the run to take back', { defaultDescription: 'the last one' }),
      force: flag('also where somebody edited or removed the domain since, whose work is then lost'),
      ...RUN_OPTIONS,
      ...OUTPUT_OPTIONS,
    }),
    examples: [
      ['$0 batch rollback', 'the whole of the last run'],
      ['$0 batch rollback --run 0012-20261123T021500Z vm1 vm2', 'two domains of another'],
    ],
    load: () => import('./batch-rollback.js'),
  },
  'batch list': {
    usage: 'batch list',
    subject: 'vsmmu',
    summary: 'list the runs that are kept',
    options: () => ({ ...STATE_OPTIONS, ...OUTPUT_OPTIONS }),
    examples: [['$0 batch list', '']],
    load: () => import('./batch-list.js'),
  },
  'batch prune': {
    usage: 'batch prune [RUN...]',
    subject: 'vsmmu',
    summary: 'remove runs with their backups; what they did can then no longer be taken back',
    options: () => ({
      keep: text('remove all but the newest so many'),
      days: text('remove what is older than so many days'),
      ...STATE_OPTIONS,
      ...OUTPUT_OPTIONS,
    }),
    examples: [['$0 batch prune --keep 3', 'all but the last three']],
    load: () => import('./batch-prune.js'),
  },
};

/** The command that a command line begins with: of two words, `batch convert`, or of one. */
export function findCommand(argv: readonly string[]): {
  readonly name: string;
  readonly command: Command | undefined;
  readonly rest: readonly string[];
} {
  for (const words of [2, 1]) {
    const name = argv.slice(0, words).join(' ');
    if (Object.hasOwn(COMMANDS, name)) return { name, command: COMMANDS[name], rest: argv.slice(words) };
  }
  const [name = '', ...rest] = argv;
  return { name, command: undefined, rest };
}

/** The second words of the commands that begin with this one, internal commands left out. */
export function partsOf(name: string): readonly string[] {
  return Object.entries(COMMANDS).flatMap(([each, { internal }]) =>
    each.startsWith(`${name} `) && !internal ? [each.slice(name.length + 1)] : [],
  );
}
