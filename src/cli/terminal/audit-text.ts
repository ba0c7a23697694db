import type { AuditReport } from '../../tools/audit/audit.ts';
import { type Invariant, invariants } from '../../tools/audit/findings.ts';
import { formatFields } from './fields.ts';
import { plainPaint } from './paint.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';
import { wrap } from './wrap.ts';

/** A report for people: the verdict, what was read, what is on its way, and what is wrong. */
export function describeReport(report: AuditReport, terminal: Terminal): string {
  const { paint, columns } = terminal;
  const lines = [
    report.ok ? paint.good('nothing lost, nothing twice') : paint.bad(verdict(report)),
    formatFields(
      [
        ['checked', counts(report.checked)],
        ['in flight', counts(report.in_flight) || 'nothing'],
      ],
      plainPaint,
      columns,
    ),
  ];
  return report.ok ? lines.join('\n') : [...lines, '', describeViolations(report, terminal)].join('\n');
}

/** A round of `--watch` in one line; the last one with what is wrong. */
export function describeRound(report: AuditReport, terminal: Terminal): string {
  const time = new Date().toTimeString().slice(0, 8);
  if (!report.ok) return `${time}  ${describeReport(report, terminal)}`;
  const { orders, decisions } = report.checked;
  const inFlight = counts(report.in_flight) || 'nothing';
  return `${time}  ${terminal.paint.good('ok')}  ${orders} orders, ${decisions} decisions, in flight: ${inFlight}`;
}

/** The counts that are not zero, by name; of what was checked, all. */
function counts(by: Record<string, number>): string {
  return Object.entries(by)
    .filter(([name, count]) => count > 0 || name === 'orders' || name === 'decisions')
    .map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    .join(', ');
}

function verdict({ violations }: AuditReport): string {
  const broken = new Set(violations.map(({ invariant }) => invariant));
  return broken.size === 1 ? 'an invariant is violated' : `${broken.size} invariants are violated`;
}

function describeViolations({ violations }: AuditReport, { paint, columns }: Terminal): string {
  const byInvariant = Map.groupBy(violations, ({ invariant }) => invariant);
  return [...byInvariant]
    .map(([name, found]) => {
      const meaning = wrap(`${name}: ${invariants[name as Invariant]}`, columns).join('\n');
      // A detail is never cut: it is what somebody has to act upon.
      const table = formatFields(
        found.map(({ id, detail }) => [visible(id), visible(detail), 'prose'] as const),
        plainPaint,
        columns,
      );
      return `${paint.bad(name)}${meaning.slice(name.length)}\n${table}`;
    })
    .join('\n\n');
}
