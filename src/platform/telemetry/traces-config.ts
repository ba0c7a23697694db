import type { VariableReader } from '../door-config.ts';
import { type ExportSettings, isExported } from './exporter.ts';
import { type SamplerName, type SamplingConfig, samplerNames } from './sampling.ts';
import { traceparentIn } from './trace-context.ts';

/** OpenTelemetry's variables about traces, beyond those that say where a collector is. */
export const tracesVariables = {
  OTEL_TRACES_EXPORTER: 'otlp or none: whether traces are sent to the collector (default: if there is one)',
  OTEL_TRACES_SAMPLER: `which traces are recorded, one of ${samplerNames.join(', ')} (default: those a client has begun as such, and the first 100 others of each second)`,
  OTEL_TRACES_SAMPLER_ARG: 'share of the traces, from 0 to 1, for the two ratios (default: 1)',
  OTEL_SPAN_LINK_COUNT_LIMIT: 'orders that the span of a batch links to at most (default: 128)',
  OTEL_BSP_SCHEDULE_DELAY: 'longest time a span waits to be sent, in milliseconds (default: 5000)',
  OTEL_BSP_MAX_QUEUE_SIZE: 'spans that may wait to be sent; further ones are lost (default: 8192)',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 'spans sent together at most (default: 512)',
  TRACEPARENT: 'the trace that a command of the command line belongs to, as W3C Trace Context writes it',
} as const;
type TracesVariable = keyof typeof tracesVariables;

/** Whether traces are recorded, which, and how they are sent. */
export interface TracesConfig extends SamplingConfig {
  /** Whether there is a collector to send them to; where it is, the exporter reads itself from OTEL_EXPORTER_OTLP_*. */
  otlp: boolean;
  linksMax: number;
  delayMs: number;
  queueMax: number;
  batchMax: number;
  /** The trace this process belongs to; undefined for none. */
  traceparent: string | undefined;
}

/** More would be serialized in one go. */
const batchMaxMax = 8_192;

/** Reads the variables of traces. */
export function readTracesConfig(
  { text, refuse }: VariableReader<TracesVariable>,
  telemetry: ExportSettings,
): TracesConfig {
  const sampler = text('OTEL_TRACES_SAMPLER');
  if (sampler !== undefined && !samplerNames.includes(sampler as SamplerName))
    refuse('OTEL_TRACES_SAMPLER', `must be one of ${samplerNames.join(', ')}, not "${sampler}"`);
  const share = text('OTEL_TRACES_SAMPLER_ARG') ?? '1';
  const ratio = /^\d(\.\d{1,15})?$/.test(share) ? Number(share) : 2;
  if (ratio > 1) refuse('OTEL_TRACES_SAMPLER_ARG', `must be a number from 0 to 1, not "${share}"`);
  const whole = (name: TracesVariable, otherwise: number, max: number) => {
    const value = text(name) ?? String(otherwise);
    const number = /^\d{1,8}$/.test(value) ? Number(value) : 0;
    if (number < 1 || number > max) refuse(name, `must be a whole number from 1 to ${max}, not "${value}"`);
    return number;
  };
  const queueMax = whole('OTEL_BSP_MAX_QUEUE_SIZE', 8_192, 1_000_000);
  return {
    otlp: isExported('OTEL_TRACES_EXPORTER', { text, refuse }, telemetry),
    sampler: sampler as SamplerName | undefined,
    ratio,
    linksMax: whole('OTEL_SPAN_LINK_COUNT_LIMIT', 128, 10_000),
    delayMs: whole('OTEL_BSP_SCHEDULE_DELAY', 5_000, 3_600_000),
    queueMax,
    batchMax: Math.min(queueMax, whole('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512, batchMaxMax)),
    traceparent: traceparentIn(text('TRACEPARENT')),
  };
}
