import type { ServerResponse } from 'node:http';
import { isFinal, type Order, viewOrder } from './order.ts';
import type { PublicationWatch } from './publication-watch.ts';
import type { SettlementWatch } from './settlement-watch.ts';

/** A comment on an idle event stream, so that nobody between takes it for dead. */
const heartbeatMs = 15_000;

/** Data of an event `step`: a step of the order that this service takes, and when, if that was seen. */
export interface StepEvent {
  step: 'created' | 'published' | 'settled';
  at: string | null;
}

/**
 * Writes the order's server-sent events to an answer that has begun: `status` for its status now and each
 * later one, with `publications` also `step` for each step of this service. Ends with the final one, or when
 * `closed` aborts.
 */
export async function streamOrder(
  raw: ServerResponse,
  order: Order,
  options: { watch: SettlementWatch; publications: PublicationWatch | undefined; closed: AbortSignal },
): Promise<void> {
  const { watch, publications, closed } = options;
  const heartbeat = setInterval(() => raw.write(': still here\n\n'), heartbeatMs);
  const published = new AbortController();
  const sayPublished = (at: Date | null) => {
    if (!published.signal.aborted) writeStep(raw, { step: 'published', at: at?.toISOString() ?? null });
    published.abort();
  };
  const writeFinal = (final: Order) => {
    if (publications !== undefined) {
      sayPublished(null);
      writeStep(raw, { step: 'settled', at: final.settledAt?.toISOString() ?? null });
    }
    writeStatus(raw, final);
  };
  try {
    if (publications !== undefined) {
      writeStep(raw, { step: 'created', at: order.createdAt.toISOString() });
    }
    if (isFinal(order)) return writeFinal(order);
    writeStatus(raw, order);
    const signal = AbortSignal.any([closed, published.signal]);
    void publications?.until(order.id, signal).then((at) => at !== undefined && sayPublished(at));
    const final = await watch.untilFinal(order.id, closed);
    if (final !== undefined) writeFinal(final);
  } finally {
    published.abort();
    clearInterval(heartbeat);
    raw.end();
  }
}

/** One server-sent event: the order, under its status. */
function writeStatus(raw: ServerResponse, order: Order): void {
  raw.write(`event: status\nid: ${order.status}\ndata: ${JSON.stringify(viewOrder(order))}\n\n`);
}

function writeStep(raw: ServerResponse, event: StepEvent): void {
  raw.write(`event: step\ndata: ${JSON.stringify(event)}\n\n`);
}
