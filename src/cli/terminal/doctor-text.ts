import type { DoctorReport, GroupedFinding } from '../../tools/doctor/doctor.ts';
import type { Level } from '../../tools/doctor/finding.ts';
import type { Paint } from './paint.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';
import { wrap } from './wrap.ts';

const levelWidth = 'warning'.length;
/** Behind the level, under which what belongs to a finding stands. */
const indent = ' '.repeat(levelWidth + 4);

/** A diagnosis for people: a heading a group, a line a finding, the remedy under it, and the sum of it all. */
export function describeDiagnosis(report: DoctorReport, { paint, columns }: Terminal): string {
  const byGroup = Map.groupBy(report.checks, ({ group }) => group);
  const parts = [...byGroup].map(([group, findings]) =>
    [paint.heading(group), ...findings.map((finding) => describeFinding(finding, paint, columns))].join('\n'),
  );
  return [...parts, '', summary(report, paint)].join('\n');
}

function describeFinding(finding: GroupedFinding, paint: Paint, columns: number | undefined): string {
  const { check, level, detail, remedy } = finding;
  const begin = `  ${paintLevel(paint, level)}  `;
  const lines = wrap(visible(`${check}: ${detail}`), columns, indent.length);
  const remedies = remedy === null ? [] : wrap(visible(`→ ${remedy}`), columns, indent.length);
  return [
    ...lines.map((line, index) => `${index === 0 ? begin : indent}${line}`),
    ...remedies.map((line) => `${indent}${paint.heading(line)}`),
  ].join('\n');
}

function paintLevel(paint: Paint, level: Level): string {
  const text = level.padEnd(levelWidth);
  if (level === 'ok') return paint.good(text);
  return level === 'warning' ? paint.open(text) : paint.bad(text);
}

function summary({ counts, ok }: DoctorReport, paint: Paint): string {
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
  const text = `${counts.ok} ok, ${count(counts.warning, 'warning')}, ${count(counts.failure, 'failure')}`;
  return ok ? paint.good(text) : paint.bad(text);
}
