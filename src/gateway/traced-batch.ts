import type { BatchedRequest } from '../platform/http-batch.ts';
import { recordedContextIn, type Spans } from '../platform/telemetry/spans.ts';

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
    spans.join(contexts, startMs, {
      name: 'POST /orders/batch',
      kind: 'client',
      attributes: {
        'http.request.method': 'POST',
        'url.template': '/orders/batch',
        'tillbox.batch.size': requests.length,
      },
      ...failure,
    });
  }
}
