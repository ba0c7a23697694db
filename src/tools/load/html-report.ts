import { escapeHtml } from '../../platform/html.ts';
import type { LoadCourse, LoadReport } from './load-report.ts';
import { barChart, lineChart, type Series } from './svg-charts.ts';
import type { Slice } from './timeline.ts';

/** A run as one HTML file that needs nothing else: no script, no network, light and dark, any width. */
export function htmlReport(report: LoadReport, course: LoadCourse, at: Date): string {
  const title = `tillbox load, ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(sentence(report))}</p></header>
<section class="tiles">${tiles(report)}</section>
<section class="charts">${charts(report, course)}</section>
<section class="tables">
${table('Outcomes', ['', 'orders'], outcomeRows(report))}
${table(
  'Answers, every try',
  ['', 'times'],
  Object.entries(report.answers).map(([answer, count]) => [answer, String(count)]),
)}
${table('Thresholds', ['', 'measured', ''], thresholdRows(report))}
${table('Set-up', ['', ''], setUpRows(report))}
</section>
</body>
</html>
`;
}

function sentence({ orders, seconds, run, interrupted, gateway_away: away }: LoadReport): string {
  const how =
    run.loop === 'open' ? `at ${run.rate} a second (open loop)` : `by ${run.clients} clients (closed loop)`;
  const end = interrupted ? ' Interrupted.' : away ? ' It ended early: the gateway answered no more.' : '';
  return `${orders} orders in ${seconds} s, sent ${how} for ${run.users} accounts.${end}`;
}

function tiles(report: LoadReport): string {
  const { audit, thresholds, settle_ms: settle, accept_ms: accept } = report;
  const kept = thresholds.filter(({ ok }) => ok).length;
  const list: [name: string, value: string, mood?: 'good' | 'bad'][] = [
    ['accepted a second', number(report.accepted_per_s)],
    ['settled a second', number(report.settled_per_s)],
    ['accepted p50 / p99', `${number(accept.p50)} / ${number(accept.p99)} ms`],
    ['settled p50 / p99', `${number(settle.p50)} / ${number(settle.p99)} ms`],
    ['errors', String(report.errors), report.errors > 0 ? 'bad' : 'good'],
  ];
  if (thresholds.length > 0)
    list.push([
      'thresholds kept',
      `${kept} of ${thresholds.length}`,
      kept < thresholds.length ? 'bad' : 'good',
    ]);
  if (audit !== null)
    list.push(['audit', audit.ok ? 'nothing lost' : 'violations', audit.ok ? 'good' : 'bad']);
  return list
    .map(
      ([name, value, mood = '']) =>
        `<div class="${mood}"><b>${escapeHtml(value)}</b>${escapeHtml(name)}</div>`,
    )
    .join('');
}

function charts(report: LoadReport, course: LoadCourse): string {
  const { accepted, settled } = course;
  return [
    lineChart('Throughput', 'orders a second', [
      over('accepted', accepted, course.acceptedSliceSeconds, ({ perSecond }) => perSecond),
      over('settled', settled, course.settledSliceSeconds, ({ perSecond }) => perSecond),
      ...(accepted.some(({ errors }) => errors > 0)
        ? [
            over(
              'errors',
              accepted,
              course.acceptedSliceSeconds,
              ({ errors }) => errors / course.acceptedSliceSeconds,
            ),
          ]
        : []),
    ]),
    table('Latency in ms', ['', 'p50', 'p95', 'p99', 'max'], latencyRows(report)),
    lineChart('Accept latency', 'ms', percentiles(accepted, course.acceptedSliceSeconds)),
    lineChart('Settle latency', 'ms, when settled', percentiles(settled, course.settledSliceSeconds)),
    barChart('Accept latencies', course.acceptBins, 0),
    barChart('Settle latencies', course.settleBins, 1),
  ].join('\n');
}

function percentiles(slices: readonly Slice[], sliceSeconds: number): Series[] {
  return (['p50', 'p95', 'p99'] as const).map((key) =>
    over(key, slices, sliceSeconds, (slice) => slice[key]),
  );
}

/** A point in the middle of each slice. */
function over(
  name: string,
  slices: readonly Slice[],
  sliceSeconds: number,
  value: (slice: Slice) => number | null,
): Series {
  return { name, points: slices.map((slice) => [slice.seconds + sliceSeconds / 2, value(slice)] as const) };
}

function latencyRows({ accept_ms, settle_ms }: LoadReport): string[][] {
  return Object.entries({ accepted: accept_ms, settled: settle_ms }).map(([name, { p50, p95, p99, max }]) => [
    name,
    ...[p50, p95, p99, max].map(number),
  ]);
}

function outcomeRows(report: LoadReport): string[][] {
  const rows: [string, number][] = [
    ['sent', report.orders],
    ['accepted', report.accepted],
    ['FINISHED', report.finished],
    ['CANCELED', report.canceled],
    ['not settled', report.unsettled],
    ['errors', report.errors],
    ['of unknown outcome', report.unknown],
    ['due and never sent', report.unsent],
    ['lost', report.lost],
    ['doubled', report.doubled],
    ['tries again', report.retries],
  ];
  return rows.map(([name, count]) => [name, String(count)]);
}

function thresholdRows({ thresholds }: LoadReport): string[][] {
  return thresholds.map(({ expression, value, ok }) => [expression, number(value), ok ? 'kept' : 'missed']);
}

function setUpRows({
  run,
  drain_s: drain,
  settle_source: source,
  generator_cpu_us: cpu,
}: LoadReport): string[][] {
  const rows: [string, string | number | null][] = [
    ['seed', run.seed],
    ['users', `${run.users}, load-${run.id}-…`],
    ['clients', run.clients],
    ['rate a second', run.rate],
    ['orders', run.orders],
    ['duration', run.duration_s === null ? null : `${run.duration_s} s`],
    ['on one account', `${run.hot * 100}%`],
    ['without money', `${run.overdraft * 100}%`],
    ['amount', run.amount],
    ['last order to last settlement', drain === null ? null : `${drain} s`],
    ['settlements read', source === 'databases' ? 'in the database' : 'at the gateway'],
    ['CPU of the generator', `${cpu} µs an order`],
  ];
  return rows.filter(([, value]) => value !== null).map(([name, value]) => [name, String(value)]);
}

function table(caption: string, headings: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const head = headings.some((heading) => heading !== '')
    ? `<thead><tr>${headings.map((heading) => `<th>${escapeHtml(heading)}</th>`).join('')}</tr></thead>`
    : '';
  const body = rows
    .map(([first = '', ...rest]) => {
      const cells = rest.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('');
      return `<tr><th scope="row">${escapeHtml(first)}</th>${cells}</tr>`;
    })
    .join('');
  return `<table><caption>${escapeHtml(caption)}</caption>${head}<tbody>${body}</tbody></table>`;
}

function number(value: number | null): string {
  if (value === null) return '–';
  return String(value >= 100 ? Math.round(value) : Math.round(value * 10) / 10);
}

const style = `
:root{color-scheme:light dark;--text:#1b2430;--soft:#5b6675;--page:#f6f7f9;--card:#fff;--line:#dfe3e8;
--s0:#0b6bcb;--s1:#b3540a;--s2:#a1234f;--good:#1a7f37;--bad:#c0262d}
@media(prefers-color-scheme:dark){:root{--text:#e6e9ee;--soft:#9aa5b4;--page:#12161c;--card:#1a2029;--line:#2d3642;
--s0:#6cb2ff;--s1:#f0a35a;--s2:#ff7ea8;--good:#56d364;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px;max-width:1080px;background:var(--page);color:var(--text);
font:15px/1.45 system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:20px;margin:0}header p{margin:4px 0 16px;color:var(--soft)}
section{display:grid;gap:12px;margin-bottom:12px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(140px,1fr))}
.charts,.tables{grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));align-items:start}
.tiles div,figure,table{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px;margin:0}
.tiles div{color:var(--soft);font-size:13px}.tiles b{display:block;font-size:17px;color:var(--text)}
.tiles .good b{color:var(--good)}.tiles .bad b{color:var(--bad)}
figcaption small{color:var(--soft)}.key{margin-left:10px;font-size:13px;white-space:nowrap}
.key i{display:inline-block;width:14px;height:3px;margin-right:5px;vertical-align:middle}
i.s0{background:var(--s0)}i.s1{background:var(--s1)}i.s2{background:var(--s2)}
svg{display:block;width:100%;height:auto}svg text{font-size:12px;fill:var(--soft)}
.grid{stroke:var(--line);fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.line.s0{stroke:var(--s0)}.line.s1{stroke:var(--s1)}.line.s2{stroke:var(--s2)}
.bar.s0{fill:var(--s0)}.bar.s1{fill:var(--s1)}
table{width:100%;border-collapse:separate;border-spacing:0}caption{text-align:left;font-weight:600;padding-bottom:4px}
th,td{padding:3px 0;border-top:1px solid var(--line);text-align:right;font-weight:400;overflow-wrap:anywhere}
thead th,tbody:nth-child(2) tr:first-child>*{border-top:0}
th:first-child{text-align:left;color:var(--soft);padding-right:12px}`;
