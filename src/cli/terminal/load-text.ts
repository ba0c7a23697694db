import type { Bin, LatencyFigures } from '../../tools/load/latencies.ts';
import type { LoadCourse, LoadReport } from '../../tools/load/load-report.ts';
import { formatFields } from './fields.ts';
import { formatTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';

const barColumnsMax = 40;
const barColumnsMin = 5;
/** What stands before a bar, besides the count. */
const labelColumns = 17;

/** A load run for people: what came of the orders, how fast, and how it was spread. */
export function formatLoad(report: LoadReport, course: LoadCourse, terminal: Terminal): string {
  const { paint } = terminal;
  const parts = [
    formatFields(fieldsOf(report, terminal), paint, terminal.columns),
    latencyTable(report, terminal),
    histogram('accepted', course.acceptBins, terminal),
    histogram('settled', course.settleBins, terminal),
    thresholds(report, terminal),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function fieldsOf(report: LoadReport, { paint }: Terminal): (readonly [string, string | undefined])[] {
  const { orders, finished, canceled, errors, unsettled, drain_s, run } = report;
  const bad = (count: number, text: string) => (count > 0 ? paint.bad(text) : undefined);
  return [
    ['Orders', `${orders} in ${report.seconds} s${report.interrupted ? ', interrupted' : ''}`],
    ['Outcomes', `${finished} finished, ${canceled} canceled, ${errors} errors`],
    ['Unsettled', bad(unsettled, `${unsettled} accepted and not final when the wait for them ended`)],
    ['Lost', bad(report.lost, `${report.lost} accepted and not there`)],
    ['Doubled', bad(report.doubled, `${report.doubled} there and never asked for`)],
    ['Unsent', bad(report.unsent, `${report.unsent} were due and never sent: the rate was not kept`)],
    ['Gateway', bad(Number(report.gateway_away), 'answered nothing for 30 s: the run ended there')],
    ['Refusals', refusals(report)],
    ['Accepted', `${report.accepted_per_s}/s`],
    ['Settled', report.settled_per_s === null ? undefined : `${report.settled_per_s}/s`],
    ['Drain', drain_s === null ? undefined : `${drain_s} s from the last order to the last settlement`],
    ['Audit', auditText(report, paint)],
    ['Settings', settingsText(run)],
    ['Seed', `${run.seed}, users load-${run.id}-…`],
    ['Settle times', sourceText(report)],
  ];
}

function refusals({ answers, retries, unknown }: LoadReport): string | undefined {
  const others = Object.entries(answers).filter(([answer]) => answer !== '201');
  if (others.length === 0 && retries === 0) return undefined;
  const list = others.map(([answer, count]) => `${count} × ${visible(answer)}`).join(', ');
  return `${list}; ${retries} tries again${unknown > 0 ? `, ${unknown} of unknown outcome` : ''}`;
}

function auditText({ audit, audit_error: error }: LoadReport, paint: Terminal['paint']): string | undefined {
  if (error !== null) return paint.bad(visible(error));
  if (audit === null) return undefined;
  if (audit.ok) return paint.good('nothing lost, nothing twice');
  return paint.bad(`${audit.violations?.length ?? 'some'} violations: tillbox audit shows them`);
}

function settingsText(run: LoadReport['run']): string {
  const { loop, clients, rate, users, hot, overdraft, amount } = run;
  return [
    loop === 'open' ? `open loop, ${rate}/s, up to ${clients} clients` : `closed loop, ${clients} clients`,
    `${users} users`,
    ...(hot > 0 ? [`${percent(hot)} on one account`] : []),
    ...(overdraft > 0 ? [`${percent(overdraft)} without money`] : []),
    `amount ${amount}`,
  ].join(', ');
}

function sourceText({ settle_source: source }: LoadReport): string {
  if (source === null) return 'not read: what holds the orders was away';
  return source === 'databases'
    ? "by the database's clock, every order, read in the database"
    : "by the database's clock in whole milliseconds, every order, read at the gateway (no database at hand)";
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10}%`;
}

interface LatencyRow {
  name: string;
  figures: LatencyFigures;
}

function latencyTable({ accept_ms, settle_ms }: LoadReport, { paint }: Terminal): string {
  const rows: LatencyRow[] = [
    { name: 'accepted', figures: accept_ms },
    { name: 'settled', figures: settle_ms },
  ];
  const column = (key: keyof LatencyFigures) => ({
    heading: key.toUpperCase(),
    text: ({ figures }: LatencyRow) => figures[key]?.toFixed(1) ?? '-',
    align: 'right' as const,
  });
  return formatTable(
    rows,
    [
      { heading: 'MS', text: ({ name }: LatencyRow) => name },
      column('p50'),
      column('p95'),
      column('p99'),
      column('max'),
    ],
    { paint },
  );
}

function histogram(name: string, bins: readonly Bin[], { paint, columns = 80 }: Terminal): string {
  if (bins.length === 0) return '';
  const most = Math.max(...bins.map(({ count }) => count));
  const width = String(most).length;
  const room = Math.max(columns - labelColumns - width, barColumnsMin);
  const barColumns = Math.min(barColumnsMax, room);
  const lines = bins.map(({ toMs, fromMs, count }) => {
    const label = toMs === null ? `over ${fromMs}` : `${toMs}`;
    const bar = '█'.repeat(Math.max(count > 0 ? 1 : 0, Math.round((count / most) * barColumns)));
    return `${label.padStart(10)} ms  ${String(count).padStart(width)}  ${bar}`.trimEnd();
  });
  return `${paint.heading(`${name}, up to`)}\n${lines.join('\n')}`;
}

function thresholds({ thresholds: results }: LoadReport, { paint }: Terminal): string {
  return results
    .map(({ expression, ok, value }) => {
      const measured = value === null ? 'not measured' : String(Math.round(value * 1_000) / 1_000);
      return `${ok ? paint.good('kept  ') : paint.bad('missed')}  ${visible(expression)}  ${measured}`;
    })
    .join('\n');
}
