import type { Logger } from './logging.ts';
import { PassLoop } from './pass-loop.ts';

/**
 * What is kept for how long, and how the windows relate.
 *
 * No window is needed for safety. What keeps an order from being charged twice is never pruned: its decision
 * (one for an order for ever), its ledger entry (one for an order), and its final status. A message that
 * comes again, however late, finds these and changes nothing. The windows only decide how cheaply, and
 * for how long a client may repeat:
 *
 * - Inbox rows that were processed: `TILLBOX_INBOX_RETENTION_DAYS`, 7 by default. As long as its row is there
 *   a duplicate is counted on it; afterwards it becomes a new row, which is answered from the decision. So
 *   longer than redeliveries usually take (seconds; the sweep's re-requests: ten minutes) is enough.
 * - Completed jobs: one hour (broker/installation.ts), to look at. Jobs that wait: ten years, so for ever; dead letters,
 *   dealt with or not, too. A dead letter redriven after the inbox was pruned is such a late duplicate.
 * - Idempotency keys: `TILLBOX_IDEMPOTENCY_RETENTION_DAYS`, 30 by default. This window is a promise to
 *   clients: the same POST sent again later than this is a new order or a new top-up, as one without a key
 *   would be. It must be longer than any client repeats a request whose outcome it does not know.
 */
export interface RetentionSettings {
  inboxRetentionDays: number;
  idempotencyRetentionDays: number;
}

export const secondsPerDay = 86_400;

/** How often what became old enough is looked for. */
const idleMs = 30_000;
/** Between two passes of a backlog, so that pruning never takes more than a small part of the server. */
const breathMs = 200;

/** Removes what was kept long enough, a small batch a pass. */
export interface Pruning {
  /** One pass; answers how many rows it pruned and whether there is more to look at now. */
  pruneOnce(): Promise<{ pruned: number; more: boolean }>;
}

/** Prunes in the background, for ever. */
export function retentionLoop(name: string, pruning: Pruning, log: Logger): PassLoop {
  const pass = async () => {
    const { pruned, more } = await pruning.pruneOnce();
    if (pruned > 0) log.debug({ loop: name, rows: pruned }, 'pruned');
    if (more) await new Promise((resolve) => setTimeout(resolve, breathMs));
    return more;
  };
  return new PassLoop({ name, pass, idleMs, log });
}

/**
 * The smallest UUID of version 7 made at that moment: ids in the order of their making (RFC 9562, 5.7) let a
 * walk over a primary key begin and end at a moment, with no index on a time.
 */
export function firstUuidAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
