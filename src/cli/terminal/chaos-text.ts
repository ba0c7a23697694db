import type { ChaosReport } from '../../tools/chaos/verdict.ts';
import { formatFields } from './fields.ts';
import { plainPaint } from './paint.ts';
import type { Terminal } from './terminal.ts';
import { visible } from './terminal-text.ts';
import { wrap } from './wrap.ts';

/** A chaos run for people: the verdict, what was done to the system, and what came of it. */
export function formatChaos(
  report: ChaosReport,
  { paint, columns }: Pick<Terminal, 'paint' | 'columns'>,
): string {
  const { requests, deliveries, dead_letters: letters, recovery, audits } = report;
  const faults = Object.entries(report.faults).map(([name, { struck }]) => `${name} ${struck}`);
  const allFinal = recovery.all_final_after_ms;
  const fields = formatFields(
    [
      ['faults', faults.join(', ')],
      [
        'requests',
        `${requests.ok} acknowledged, ${requests.failed} refused, ${requests.unknown} of unknown outcome`,
      ],
      [
        'deliveries',
        `${deliveries.total}, of which ${deliveries.duplicates_suppressed} duplicates suppressed`,
      ],
      ['poison', `${letters.poison_found} of ${letters.poison_sent} messages in the dead letters`],
      [
        'audits',
        `${audits.done} while it ran, ${audits.unreadable} more could not read a server that was down`,
      ],
      [
        'recovery',
        `the longest took ${(recovery.slowest_order_ms / 1_000).toFixed(1)} s, from an order to its final status; ${allFinal === null ? 'not everything final in time' : `all final ${(allFinal / 1_000).toFixed(1)} s after the last fault`}`,
      ],
      ['seed', `${report.seed}, ${report.seconds} s`],
    ],
    plainPaint,
    columns,
  );
  const titles = {
    pass: paint.good('PASS: nothing lost, nothing twice'),
    fail: paint.bad('FAIL'),
    interrupted: 'interrupted: no verdict, nothing broken was seen',
  };
  const lines = [titles[report.verdict], '', fields];
  const failures = report.failures.map(({ invariant, id, detail }) =>
    wrap(`${invariant} ${visible(id)} ${visible(detail)}`, columns)
      .join('\n')
      .replace(invariant, paint.bad(invariant)),
  );
  return [...lines, ...(failures.length > 0 ? ['', ...failures] : [])].join('\n');
}
