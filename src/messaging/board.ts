import type { FastifyInstance } from 'fastify';
import { type RatesReport, reportMsMax, type ServiceReport } from '../platform/board-report.ts';
import type { Database } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { uuidSchema } from '../platform/field-schemas.ts';
import type { Principal } from '../platform/identity/principal.ts';
import { scopeMissing } from '../platform/identity/refusals.ts';
import { within } from '../platform/within.ts';
import type { Broker } from './broker/broker.ts';
import { deadLetterQueues } from './dead-letters.ts';
import { depthStatement, type StoredDepth } from './depth-store.ts';
import type { QueueDepth } from './queue-depth-store.ts';
import { queueViews } from './queue-views.ts';
import type { StepTally } from './step-tally.ts';

/** Somebody looks every second: rows counted one by one cost some milliseconds, and longer queues are estimated. */
const countedMax = 10_000;
/** A broker that does not answer must not hold back what the service's own database says. */
const brokerMsMax = 800;
const queueNames = deadLetterQueues.flatMap(({ queue, name }) => [queue, name]);
/** Orders that can be asked for at once. */
const reportedOrdersMax = 16;

const boardSchema = {
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      orders: {
        type: 'string',
        pattern: `^${uuidSchema.pattern.slice(1, -1)}(,${uuidSchema.pattern.slice(1, -1)}){0,${reportedOrdersMax - 1}}$`,
        description: `must be up to ${reportedOrdersMax} ids of orders, comma-separated`,
      },
    },
  },
} as const;

/** What a service tells the board with. */
export interface BoardParts {
  name: 'orders' | 'payments';
  database: Database;
  broker: Pick<Broker, 'depthsOf'>;
  tally: StepTally;
  /** What this service knows of these orders, and whatever else only it can tell. */
  report(orderIds: string[]): Promise<object>;
}

/**
 * Adds what the gateway's board asks a service: `/board/rates`, what this process did lately, of its own memory; and
 * `/board`, what waits and how orders stand, of the databases and hence the same at every instance. Nothing of it
 * costs anything until somebody asks.
 */
export function addBoardRoutes(app: FastifyInstance, parts: BoardParts): void {
  const { name, database, broker, tally, report } = parts;
  const depths = depthStatement(`board_${name}`, name, countedMax);

  app.get('/board/rates', async ({ principal }): Promise<RatesReport> => {
    requireOperator(principal);
    return { pid: process.pid, steps: tally.rates() };
  });

  app.get<{ Querystring: { orders?: string } }>(
    '/board',
    { schema: boardSchema },
    async ({ principal, query }): Promise<ServiceReport> => {
      requireOperator(principal);
      const ids = query.orders === undefined ? [] : query.orders.toLowerCase().split(',');
      const [seen, kept] = await Promise.all([
        within(reportMsMax, Promise.all([database.query<StoredDepth>(depths), report(ids)])),
        queuesIn(broker),
      ]);
      if (seen === undefined) {
        throw new CodedError('unavailable', `The database of ${name} does not answer.`);
      }
      const [stored, told] = seen;
      const queues = queueViews(stored, kept ?? [], countedMax);
      return { queues, broker: kept !== undefined, ...told };
    },
  );
}

function requireOperator(principal: Principal): void {
  if (principal.scope !== 'operator') throw scopeMissing('operator');
}

/**
 * All queues, whoever receives from them: those of a service that is away are the ones to look at. Undefined while
 * the broker does not answer.
 */
async function queuesIn(broker: BoardParts['broker']): Promise<QueueDepth[] | undefined> {
  const asked = async () => broker.depthsOf(queueNames, countedMax);
  return within(
    brokerMsMax,
    asked().catch(() => undefined),
  );
}
