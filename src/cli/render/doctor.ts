import type { DoctorResult } from '../../doctor/result.js';
import type { Grade } from '../../verify/check.js';
import { colours, item, paragraph, WIDTH } from './typeset.js';

/** How much to print. */
export interface Detail {
  /** Print only failed checks. */
  readonly quiet: boolean;
  /** Print all details. */
  readonly verbose: boolean;
}

/** Indentation of what was found, below the word "Checking". */
const INDENT = ' '.repeat(9);

/** The column of the answers. */
const ANSWER = 54;

/** The number of details per check that are shown without --verbose. */
const MAX_DETAILS = 8;

/** Returns the last line: how many of all checks fail, and how many warn. */
export type SummaryLine = (failures: number, warnings: string, all: number) => string;

/** Renders checks in the style of virt-host-validate: a line per check, and below it the finding and the remedy. */
export function renderChecks(
  checks: readonly DoctorResult[],
  { quiet, verbose }: Detail,
  summaryLine: SummaryLine = machineSummary,
): string {
  const shown = quiet ? checks.filter(({ grade }) => grade === 'fail') : checks;
  const lines = shown.map((check) => renderCheck(check, verbose ? Number.POSITIVE_INFINITY : MAX_DETAILS));
  return quiet ? lines.join('') : `${lines.join('')}\n${summary(checks, summaryLine)}\n`;
}

function summary(checks: readonly DoctorResult[], summaryLine: SummaryLine): string {
  const number = (grade: Grade) => checks.filter((check) => check.grade === grade).length;
  const warnings = number('warn');
  return summaryLine(
    number('fail'),
    warnings === 0 ? '' : `; ${warnings} warning${warnings === 1 ? '' : 's'}`,
    checks.length,
  );
}

function renderCheck({ of, title, grade, found, remedy, details = [] }: DoctorResult, most: number): string {
  const question = `${of.padStart(7)}: Checking ${title}`.padEnd(ANSWER);
  const isShort = question.length + `: PASS (${found})`.length <= WIDTH;
  const answer = `${question}: ${inColour(grade)}${isShort ? ` (${found})` : ''}\n`;
  const shown = details.length > most + 1 ? details.slice(0, most) : details;
  const more = details.length - shown.length;
  return [
    answer,
    isShort ? '' : paragraph(found, INDENT),
    ...shown.map((detail) => item(detail, `${INDENT}  `)),
    more > 0 ? `${INDENT}  … and ${more} more (--verbose)\n` : '',
    remedy === undefined ? '' : paragraph(`-> ${remedy}`, INDENT),
  ].join('');
}

function inColour(grade: Grade): string {
  const { green, yellow, red } = colours();
  const paint = { pass: green, warn: yellow, fail: red }[grade];
  return paint(grade.toUpperCase());
}

const machineSummary: SummaryLine = (failures, warnings, all) =>
  failures === 0
    ? `This machine has what accelerated vSMMUs need${warnings}.`
    : `This machine cannot accelerate a vSMMU: ${failures} of ${all} checks fail${warnings}.`;
