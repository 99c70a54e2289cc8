/** `npx tsx test/judge/judge.ts [COUNT] [FIRST]`: runs COUNT cases (default 10 000), and prints the faults found. */
import { judge } from './case.js';

const [count = 10_000, first = 0] = process.argv.slice(2).map(Number);
const codes = new Map<string, number>();
let [converted, refused, wrong] = [0, 0, 0];
for (let number = first; number < first + count; number++) {
  const verdict = judge(number);
  converted += verdict.converted;
  refused += verdict.refused;
  if (verdict.findings.length > 0) wrong++;
  for (const finding of verdict.findings) {
    const kind = finding.replace(/\d[\da-f:.]*/g, '#');
    const times = (codes.get(kind) ?? 0) + 1;
    codes.set(kind, times);
    if (times <= 3) process.stdout.write(`case ${number}: ${finding}\n`);
  }
}
for (const [kind, times] of codes) process.stdout.write(`${times} × ${kind}\n`);
process.stdout.write(`${count} cases: ${converted} conversions, ${refused} refusals, ${wrong} cases with findings\n`);
process.exitCode = wrong > 0 ? 1 : 0;
