import { CodedError } from '../../platform/errors.ts';
import { pause } from '../../platform/lifecycle.ts';
import type { LoadEvents } from './load.ts';
import type { OrderRun } from './order-run.ts';
import type { SettlementReader, Settlements } from './settlements.ts';

/** Orders that turn out not to be settled, and databases that are away, are looked at again after this. */
const againMs = 500;
/** After Ctrl-C the orders on their way are waited for as long. */
const hurriedMs = 2_000;
/** A database that is started again is waited for as long, whatever the wait for settlements. */
const awayMs = 15_000;

interface Context {
  drainMs: number;
  events: LoadEvents;
  signal: AbortSignal;
}

/**
 * Waits until the run's orders are settled, or the time for that is over, and reads what became of them.
 * @returns undefined when that could not be read
 */
export async function settle(
  run: OrderRun,
  reader: SettlementReader,
  context: Context,
): Promise<Settlements | undefined> {
  const isHurried = context.signal.aborted;
  const signal = isHurried ? AbortSignal.timeout(hurriedMs) : context.signal;
  const drainMs = isHurried ? Math.min(hurriedMs, context.drainMs) : context.drainMs;
  const startedAt = performance.now();
  for (;;) {
    const passedMs = () => performance.now() - startedAt;
    try {
      await untilSettled(run, reader, startedAt + drainMs, { ...context, signal });
      const settlements = await reader.read();
      const { stored, finished, canceled } = settlements;
      const isOver = signal.aborted || passedMs() + againMs > drainMs;
      if (stored === finished + canceled || isOver) return settlements;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (signal.aborted || passedMs() > Math.max(awayMs, drainMs)) return undefined;
    }
    await pause(againMs, signal);
  }
}

/** Waits until nothing of the run is NEW any more, as far as can be seen. */
async function untilSettled(
  run: OrderRun,
  reader: SettlementReader,
  deadline: number,
  { events, signal }: Context,
): Promise<void> {
  let open: readonly string[] = run.newest;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    const waiting = await reader.waiting();
    if (waiting === 0) return;
    if (waiting === null) {
      const settled = await reader.sample(open);
      open = open.filter((id) => !settled.has(id));
      if (open.length === 0) return;
    }
    events.progress({ kind: 'drain', waiting: waiting ?? open.length });
    if (signal.aborted || performance.now() + pauseMs > deadline) return;
    await pause(pauseMs, signal);
  }
}
