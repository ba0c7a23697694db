import { randomBytes } from 'node:crypto';
import { targetOf } from '../../src/tools/load/connection.ts';
import { OrderRun } from '../../src/tools/load/order-run.ts';

/** Drives `POST /orders` of tillbox, and of the programs it is compared with, by the engine of `tillbox load`. */

/** What is sent, and how. */
export interface Load {
  /** Where `POST /orders` is. */
  url: string;
  /** Whose the next order is. */
  user(): string;
  /** A closed loop of so many requests in flight, or an open one of so many orders a second. */
  pace: { clients: number } | { perSecond: number };
  /** Ends after so many seconds, or orders. */
  until: { seconds: number } | { orders: number };
}

/** What the clients were told. */
export interface Driven {
  /** Orders answered with 201. */
  accepted: number;
  /** Orders given up after all tries. */
  errors: number;
  /** Of these, those that may be there all the same. */
  uncertain: number;
  seconds: number;
  /** From sending an order, in an open loop from when it was due, to its acceptance, in ms. */
  p50: number;
  p99: number;
  /** CPU time this process took meanwhile, in µs: the generator's. */
  cpuMicros: number;
}

/** Connections of an open loop: as many requests may be under way before one has to wait. */
const openLoopClients = 512;

/** Sends all orders and waits for their answers, not for their settlement. */
export async function drive({ url, user, pace, until }: Load): Promise<Driven> {
  const isOpen = 'perSecond' in pace;
  const run = new OrderRun({
    target: targetOf({ url }),
    runId: `bench-${randomBytes(5).toString('hex')}`,
    clients: isOpen ? openLoopClients : pace.clients,
    pace: {
      ratePerSecond: isOpen ? pace.perSecond : undefined,
      orders: 'orders' in until ? until.orders : undefined,
      durationMs: 'seconds' in until ? until.seconds * 1_000 : undefined,
    },
    nextOrder: () => ({ userId: user(), amount: '1.00', payable: true }),
  });
  const before = process.cpuUsage();
  await run.run(new AbortController().signal);
  const cpu = process.cpuUsage(before);
  const { p50, p99 } = run.accepts.figures();
  return {
    accepted: run.accepted,
    errors: run.errors,
    uncertain: run.uncertain,
    seconds: (run.endedAt - run.startedAt) / 1_000,
    p50: p50 ?? Number.NaN,
    p99: p99 ?? Number.NaN,
    cpuMicros: cpu.user + cpu.system,
  };
}
