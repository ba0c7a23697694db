import { setTimeout as pause } from 'node:timers/promises';
import { CodedError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import type { DatabaseUrls } from '../../system/migrate.ts';
import { ReadOnlyDatabases } from '../read-only-databases.ts';
import { assembleTrace, isKnown } from './assemble-trace.ts';
import { type AskHealth, collectFacts } from './collect-facts.ts';
import type { TraceDocument } from './trace-document.ts';

/** A message that moved while it was looked for is met at the next look. */
const looksMax = 3;
const lookAgainMs = 100;

/**
 * Traces orders from what is stored anyway: it needs no tracing backend, and costs orders on their way
 * nothing. Reads as the auditor.
 */
export class Tracer {
  readonly #databases: ReadOnlyDatabases;

  readonly #askHealth: AskHealth | undefined;

  /**
   * @param options.urls of administrators, or of roles that may read
   * @param options.askHealth asked about an order that is not final, to say which daemon hangs
   */
  constructor({ askHealth, ...options }: { urls: DatabaseUrls; log: Logger; askHealth?: AskHealth }) {
    this.#databases = new ReadOnlyDatabases({ ...options, name: 'tillbox trace' });
    this.#askHealth = askHealth;
  }

  /**
   * The way of an order, as far as it is known. A database that is away is named in the document, and what
   * only it knows is missing.
   * @throws CodedError `order-not-found` when none of the databases that could be read has heard of it, and
   * orders is among them; `unavailable` when none could be read
   */
  async trace(orderId: string): Promise<TraceDocument> {
    for (let look = 1; ; look += 1) {
      const facts = await collectFacts(this.#databases, orderId, this.#askHealth);
      if (facts.away.length === 3) throw allAway(facts.away);
      if (!isKnown(facts) && facts.orders !== undefined) throw unknownOrder(orderId);
      const document = assembleTrace(facts, new Date());
      const isMissed = document.standing?.place === 'nowhere';
      if (!isMissed || look === looksMax) return document;
      await pause(lookAgainMs);
    }
  }

  async close(): Promise<void> {
    await this.#databases.close();
  }
}

function unknownOrder(orderId: string): CodedError {
  const detail = `There is no order ${orderId}. List those of a user with: tillbox orders USER`;
  return new CodedError('order-not-found', detail);
}

function allAway(away: TraceDocument['away']): CodedError {
  const messages = [...new Set(away.map(({ message }) => message))].join('; ');
  return new CodedError('unavailable', `No database could be read: ${messages}. See: tillbox status`);
}
