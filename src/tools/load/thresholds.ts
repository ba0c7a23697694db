import type { LoadReport } from './load-report.ts';

/** What a run must come to, such as `settle.p99<50ms`. */
export interface Threshold {
  /** As it was written. */
  expression: string;
  metric: Metric;
  operator: Operator;
  /** In the unit of the metric: milliseconds, a second, seconds, orders, or a share of all orders. */
  limit: number;
  unit: Unit;
}

/** A threshold and how it stands. A figure that could not be measured misses every threshold. */
export interface ThresholdResult {
  expression: string;
  ok: boolean;
  value: number | null;
}

type Operator = '<' | '<=' | '>' | '>=' | '==';
type Unit = 'ms' | 'per second' | 'seconds' | 'orders' | 'share';

const operators: Record<Operator, (value: number, limit: number) => boolean> = {
  '<': (value, limit) => value < limit,
  '<=': (value, limit) => value <= limit,
  '>': (value, limit) => value > limit,
  '>=': (value, limit) => value >= limit,
  '==': (value, limit) => value === limit,
};

/** Every figure that can have a threshold, by the name it has there. */
const metrics = {
  'accept.p50': ({ accept_ms }: LoadReport) => accept_ms.p50,
  'accept.p95': ({ accept_ms }: LoadReport) => accept_ms.p95,
  'accept.p99': ({ accept_ms }: LoadReport) => accept_ms.p99,
  'accept.max': ({ accept_ms }: LoadReport) => accept_ms.max,
  'settle.p50': ({ settle_ms }: LoadReport) => settle_ms.p50,
  'settle.p95': ({ settle_ms }: LoadReport) => settle_ms.p95,
  'settle.p99': ({ settle_ms }: LoadReport) => settle_ms.p99,
  'settle.max': ({ settle_ms }: LoadReport) => settle_ms.max,
  accepted_per_s: ({ accepted_per_s }: LoadReport) => accepted_per_s,
  settled_per_s: ({ settled_per_s }: LoadReport) => settled_per_s,
  errors: ({ errors }: LoadReport) => errors,
  unsettled: ({ unsettled }: LoadReport) => unsettled,
  drain: ({ drain_s }: LoadReport) => drain_s,
} as const;
type Metric = keyof typeof metrics;

/** The names, for help and refusals. */
export const metricNames = Object.keys(metrics) as Metric[];

const msIn = new Map([
  ['us', 0.001],
  ['µs', 0.001],
  ['ms', 1],
  ['', 1],
  ['s', 1_000],
]);
const pattern = /^\s*([a-z0-9_.]+)\s*(<=|>=|==|=|<|>)\s*(\d{1,12}(?:\.\d{1,6})?)\s*([a-zµ%/]*)\s*$/;

/** Reads a threshold; undefined when it is none. */
export function parseThreshold(expression: string): Threshold | undefined {
  const [, name = '', sign = '', number = '', unitText = ''] = pattern.exec(expression) ?? [];
  const metric = metricNames.find((known) => known === name);
  if (metric === undefined) return undefined;
  const read = readLimit(metric, Number(number), unitText);
  if (read === undefined) return undefined;
  const operator = (sign === '=' ? '==' : sign) as Operator;
  return { expression: expression.trim(), metric, operator, ...read };
}

function readLimit(metric: Metric, number: number, unit: string): { limit: number; unit: Unit } | undefined {
  if (/^(accept|settle)\./.test(metric)) {
    const ms = msIn.get(unit);
    return ms === undefined ? undefined : { limit: number * ms, unit: 'ms' };
  }
  if (metric.endsWith('_per_s')) {
    return unit === '' || unit === '/s' ? { limit: number, unit: 'per second' } : undefined;
  }
  if (metric === 'drain') {
    if (unit !== 's' && unit !== 'ms' && unit !== '') return undefined;
    return { limit: unit === 'ms' ? number / 1_000 : number, unit: 'seconds' };
  }
  if (unit === '%') return { limit: number / 100, unit: 'share' };
  return unit === '' ? { limit: number, unit: 'orders' } : undefined;
}

/** How a threshold stands after a run. */
export function checkThreshold(threshold: Threshold, report: LoadReport): ThresholdResult {
  const { expression, metric, operator, limit, unit } = threshold;
  const measured = metrics[metric](report);
  if (measured === null) return { expression, ok: false, value: null };
  const value = unit === 'share' ? (report.orders === 0 ? 0 : measured / report.orders) : measured;
  return { expression, ok: operators[operator](value, limit), value };
}
