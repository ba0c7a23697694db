import { createTraceState } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { RandomIdGenerator } from '@opentelemetry/sdk-trace';
import { type SamplerName, Sampling } from '../../src/platform/telemetry/sampling.ts';
import type { SpanRecord } from '../../src/platform/telemetry/span-record.ts';
import { Spans } from '../../src/platform/telemetry/spans.ts';

/** Spans that a test can read as soon as they have ended. */
export function recordSpans({
  sampler = 'parentbased_always_on',
  linksMax = 128,
}: {
  sampler?: SamplerName;
  linksMax?: number;
} = {}): { spans: Spans; ended: SpanRecord[] } {
  const ended: SpanRecord[] = [];
  const spans = new Spans({
    add: (record) => void ended.push(record),
    sampling: new Sampling({ sampler, ratio: 1 }),
    ids: new RandomIdGenerator(),
    resource: resourceFromAttributes({}),
    stateIn: createTraceState,
    linksMax,
  });
  return { spans, ended };
}
