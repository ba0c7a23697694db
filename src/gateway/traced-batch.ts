import type { BatchedRequest } from '../platform/http-batch.ts';
import type { SpanForm } from '../platform/telemetry/span-record.ts';
import { recordedContextIn, type Spans } from '../platform/telemetry/spans.ts';

const form: SpanForm = {
  name: 'POST /orders/batch',
  kind: 'client',
  attributes: { 'http.request.method': 'POST', 'url.template': '/orders/batch' },
};

/** Sends requests together, recorded as one span with a link to each. */
export async function tracedBatch<Answers>(
  spans: Spans,
  requests: readonly BatchedRequest[],
  send: () => Promise<Answers>,
): Promise<Answers> {
  const startMs = spans.now();
  let failure: { error: unknown } | undefined;
  try {
    return await send();
  } catch (error) {
    failure = { error };
    throw error;
  } finally {
    const contexts = requests.flatMap(({ headers }) => recordedContextIn(headers['traceparent']) ?? []);
    const attributes = { 'tillbox.batch.size': requests.length };
    spans.join(contexts, startMs, form, { attributes, ...failure });
  }
}
