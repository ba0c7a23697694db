import { setTimeout as pause } from 'node:timers/promises';
import type { OrderView } from '../../orders/order.ts';
import { CodedError } from '../../platform/errors.ts';
import type { Gateway } from './gateway.ts';
import { orderEvents } from './order-events.ts';

/** Pause between reads where no event stream comes through. */
const pollMs = 500;
/** A gateway that was there is waited for this long: a restart takes a second or two. */
const awayMsMax = 60_000;

/**
 * An order, and again each time its status changes; ends at a final status, or when `signal` aborts. By the
 * event stream, and by reading the order where that ends early.
 * @param options.known the order as it was just answered: then it is there, and a gateway that goes away is
 * waited for until `signal` aborts
 * @param options.onStep told each step of the orders service, where the event stream comes through
 * @throws CodedError `order-not-found`; `unavailable` when the gateway is not there, or goes away for a minute
 */
export async function* followOrder(
  gateway: Gateway,
  id: string,
  options: { signal: AbortSignal; known?: OrderView; onStep?: (step: string) => void },
): AsyncGenerator<OrderView, void> {
  const { signal, known } = options;
  let seen = known?.status;
  let heardAt: number | undefined;
  const isGivenUp = () =>
    known === undefined && (heardAt === undefined || performance.now() - heardAt > awayMsMax);
  while (!signal.aborted) {
    for await (const order of lookAt(gateway, id, options)) {
      if (order instanceof CodedError) {
        if (order.exitCode !== 7 || isGivenUp()) throw order;
        continue;
      }
      heardAt = performance.now();
      if (order.status !== seen) yield order;
      seen = order.status;
      if (order.status !== 'NEW') return;
    }
    await pause(pollMs, undefined, { signal }).catch(() => {});
  }
}

/** One stream to its end, then one read; a failure of the read comes as a value. */
async function* lookAt(
  gateway: Gateway,
  id: string,
  options: { signal: AbortSignal; onStep?: (step: string) => void },
): AsyncGenerator<OrderView | CodedError, void> {
  const { signal } = options;
  yield* orderEvents(gateway.access, id, options);
  if (signal.aborted) return;
  try {
    yield await gateway.get<OrderView>(`/orders/${id}`, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof CodedError)) throw error;
    yield error;
  }
}
