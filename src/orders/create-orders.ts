import { v7 as uuidV7 } from 'uuid';
import { type Instruments, noInstruments } from '../messaging/instruments.ts';
import type { PaymentRequested } from '../messaging/messages.ts';
import { type Database, repeatSafely } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { GroupCommit } from '../platform/group-commit.ts';
import { isUnavailable } from '../platform/postgres-errors.ts';
import type { Spans } from '../platform/telemetry/spans.ts';
import { asCreated, isSameRequest, type Order, type OrderRequest } from './order.ts';
import { findCreated, insertedMax, insertOrders, type NewOrder } from './store.ts';
import { tracedCreation } from './traced-steps.ts';

/** One being written while the next gathers. */
const writesInFlightMax = 2;
/** Beyond this the service takes seconds to catch up: refuse early instead. */
const waitingMax = 4_000;

/** What became of a request: the order as it was created, and whether that was an earlier request. */
export interface Created {
  order: Order;
  replayed: boolean;
}

/**
 * Step 1, create: the order, NEW, and its payment request in the outbox, in one transaction. Requests that
 * arrive while a statement is in flight are inserted together by the next one.
 */
export class OrderCreation {
  readonly #database: Database;
  readonly #afterCommit: (announced: PaymentRequested[]) => void;
  readonly #instruments: Instruments;
  readonly #groupCommit: GroupCommit<OrderRequest, Created | CodedError>;

  /** @param options.afterCommit called when there are new rows in the outbox, with the messages in them */
  constructor(options: {
    database: Database;
    afterCommit: (announced: PaymentRequested[]) => void;
    instruments?: Instruments;
    spans?: Spans | undefined;
  }) {
    this.#database = options.database;
    this.#afterCommit = options.afterCommit;
    this.#instruments = options.instruments ?? noInstruments;
    const create = (requests: readonly OrderRequest[]) => this.createOrders(requests);
    const write = options.spans === undefined ? create : tracedCreation(options.spans, create);
    this.#groupCommit = new GroupCommit({ write, batchSizeMax: insertedMax, writesInFlightMax, waitingMax });
  }

  /**
   * Creates one order. The same idempotency key of a user with the same request answers the order that is
   * there; with another request it throws `idempotency-key-reused`.
   */
  async create(request: OrderRequest): Promise<Created> {
    const result = await this.#groupCommit.submit(request);
    if (result instanceof CodedError) throw result;
    return result;
  }

  /** Creates a batch of orders in one transaction, a result for each, in order. */
  async createOrders(requests: readonly OrderRequest[]): Promise<(Created | CodedError)[]> {
    const orders = requests.map(toNewOrder);
    const begunAt = performance.now();
    const createdAt = await repeatSafely(() => insertOrders(this.#database, orders));
    this.#instruments.created(createdAt.size, (performance.now() - begunAt) / 1_000);
    const inserted = orders.filter(({ id }) => createdAt.has(id));
    if (inserted.length > 0) this.#afterCommit(inserted.map(({ paymentRequest }) => paymentRequest));
    const others = orders.filter(({ id }) => !createdAt.has(id));
    const found = others.length === 0 ? [] : await this.#findUnlessAway(others);
    const byId = new Map(found?.map(({ order }) => [order.id, order]));
    const byKey = new Map(
      found?.flatMap(({ order, idempotencyKey }) =>
        idempotencyKey === null ? [] : [[`${order.userId} ${idempotencyKey}`, order]],
      ),
    );
    return requests.map((request, index) => {
      const { id } = orders[index] as NewOrder;
      const created = createdAt.get(id);
      if (created !== undefined) return { order: newOrder(id, request, created), replayed: false };
      const own = byId.get(id);
      if (own !== undefined) return { order: asCreated(own), replayed: false };
      if (found === undefined) return outcomeUnknown();
      const earlier = byKey.get(`${request.userId} ${request.idempotencyKey}`);
      if (earlier === undefined) throw new Error('an order was neither inserted nor found');
      return isSameRequest(earlier, request) ? { order: asCreated(earlier), replayed: true } : keyReused();
    });
  }

  /** The orders found; undefined when the database is away, which must not refuse the orders just created. */
  async #findUnlessAway(orders: readonly NewOrder[]) {
    try {
      return await repeatSafely(() => findCreated(this.#database, orders));
    } catch (error) {
      if (isUnavailable(error)) return undefined;
      throw error;
    }
  }
}

function toNewOrder(request: OrderRequest): NewOrder {
  const { userId, amount, traceparent } = request;
  const id = uuidV7();
  const type = 'payment.requested.v1';
  return { ...request, id, paymentRequest: { type, orderId: id, userId, amount, traceparent } };
}

function newOrder(id: string, request: OrderRequest, createdAt: Date): Order {
  const { userId, amount, description } = request;
  return { id, userId, amount, description, status: 'NEW', reason: null, createdAt, settledAt: null };
}

function outcomeUnknown(): CodedError {
  const detail =
    'The database went away before it answered: the order may be there. Repeat the request with the same Idempotency-Key, which is safe.';
  return new CodedError('outcome-unknown', detail);
}

function keyReused(): CodedError {
  const detail =
    'This Idempotency-Key was used before for another order. Use a new key for a new order, or send the first request unchanged.';
  return new CodedError('idempotency-key-reused', detail);
}
