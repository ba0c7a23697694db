import { setTimeout as pause } from 'node:timers/promises';
import type { OrderView } from '../../orders/order.ts';
import type { PaymentView } from '../../payments/payment-progress.ts';
import { LiveLine } from '../terminal/live-line.ts';
import { formatSteps, type OrderProgress } from '../terminal/order-steps.ts';
import type { Client } from './client.ts';
import { followOrder } from './follow-order.ts';
import { tryOnce } from './gateway-request.ts';

/** Between two looks at the payment, and two drawings: often enough for an eye. */
const lookMs = 100;
/** Who has watched for so long is told how to find out why. */
const longMs = 5_000;

/**
 * Follows an order like `followOrder`, on a terminal with a line on stderr that moves through the six steps as
 * they happen: those of orders by the event stream, those of payments by reading.
 * @returns the order as it was last seen; undefined when it was not seen at all
 * @throws CodedError as `followOrder`
 */
export async function watchSteps(
  client: Client,
  id: string,
  options: { signal: AbortSignal; known?: OrderView },
): Promise<OrderView | undefined> {
  const progress: OrderProgress = { order: options.known, published: false, payment: undefined };
  const line = new LiveLine(process.stderr);
  const draw = () => drawSteps(client, line, progress);
  const ended = new AbortController();
  const onStep = (step: string) => {
    if (step === 'published') progress.published = true;
    draw();
  };
  const looking = lookAtPayment(client, id, progress, draw, ended.signal);
  const tellMore = () => {
    if (progress.order === undefined) return;
    line.above(() => client.terminal.hint(`See where it stands: tillbox trace ${id}`));
  };
  const long = setTimeout(tellMore, longMs);
  try {
    draw();
    for await (const order of followOrder(client.gateway, id, { ...options, onStep })) {
      progress.order = order;
      draw();
    }
    return progress.order;
  } finally {
    clearTimeout(long);
    ended.abort();
    await looking;
    line.end();
  }
}

function drawSteps({ terminal }: Client, line: LiveLine, progress: OrderProgress): void {
  const { order } = progress;
  // Nothing is known before the first answer, not even whether there is such an order.
  if (order === undefined) return;
  const elapsedMs = Math.max(0, Date.now() - Date.parse(order.created_at));
  line.draw(formatSteps(progress, { columns: line.columns, paint: terminal.paint, elapsedMs }));
}

/** Reads again and again how far the payment is, until `ended` aborts. What fails is tried the next time. */
async function lookAtPayment(
  { gateway }: Client,
  id: string,
  progress: OrderProgress,
  draw: () => void,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    const outcome = await tryOnce(gateway.access, { method: 'GET', path: `/payments/${id}` }, ended);
    if (ended.aborted) return;
    if (outcome.kind === 'answered') progress.payment = outcome.body as PaymentView;
    draw();
    await pause(lookMs, undefined, { signal: ended }).catch(() => {});
  }
}
