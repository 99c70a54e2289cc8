/**
 * `npm run test:facts`: repeats the observations that the code relies on, and reports changes. A changed fact is a warning
 * with exit code 0: Debian unstable changes, and `npm run test:lab` tests whether the output of vsmmu still works.
 */
import type { Fact } from './facts/fact.js';
import { guestFacts } from './facts/guest.js';
import { hookFacts } from './facts/hooks.js';
import { libvirtFacts } from './facts/libvirt.js';
import { qemuFacts } from './facts/qemu.js';
import { Lab, sayOnStderr, versions } from './lab.js';
import { LabError } from './process.js';

const chapters: readonly (readonly [string, readonly Fact[]])[] = [
  ['QEMU', qemuFacts],
  ['libvirt', libvirtFacts],
  ['hooks and virsh', hookFacts],
  ['the guest', guestFacts],
];

/** Returns the observation; a refusal is also an observation. */
async function look(lab: Lab, fact: Fact): Promise<string> {
  try {
    return await fact.see(lab);
  } catch (error) {
    if (error instanceof LabError) return error.message;
    throw error;
  }
}

function holds({ expected }: Fact, seen: string): boolean {
  return typeof expected === 'string' ? seen === expected : expected.test(seen);
}

async function main(): Promise<void> {
  await using lab = await Lab.start();
  const { libvirt, qemu } = await versions(lab);
  const print = (text: string): boolean => process.stdout.write(`${text}\n`);
  let held = 0;
  const changed: string[] = [];
  for (const [chapter, facts] of chapters) {
    print(`\n${chapter}`);
    for (const fact of facts) {
      const seen = await look(lab, fact);
      if (holds(fact, seen)) {
        held++;
        print(`  holds    ${fact.title}`);
      } else {
        changed.push(fact.title);
        print(
          `  CHANGED  ${fact.title}\n           expected ${String(fact.expected)}\n           seen     ${seen.replaceAll('\n', '\n                    ')}`,
        );
      }
    }
  }
  print(`\nlibvirt ${libvirt}, QEMU ${qemu}: ${held} facts hold, ${changed.length} changed`);
  for (const title of changed) print(`warning: changed: ${title}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  sayOnStderr(error.message);
  process.exitCode = 3;
}
