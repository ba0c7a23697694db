import { PgBoss } from 'pg-boss';
import type { Connections } from '../../platform/database.ts';
import type { Logger } from '../../platform/logging.ts';
import { PassLoop } from '../../platform/pass-loop.ts';
import { superviseConnectionsMax } from '../connections.ts';
import { type Queue, queues } from '../messages.ts';
import { isLeasedStatement } from '../queue-depth-store.ts';
import { brokerConnection } from './connection.ts';
import { poolOf } from './pool.ts';

/** How often a receiver looks for expired leases in its queue: its instances together, more often. */
const superviseMs = 5_000;
/** Another instance's look counts for all; less than the interval, so that none is left out by a hair. */
const supervisedSeconds = 4;
/**
 * Every so many passes all queues are looked after: those of dead letters, whose jobs nobody leases, too. More often
 * for who exports how many there are.
 */
const passesOfAll = 12;
const passesOfAllMeasured = 3;
const maintenanceSeconds = 300;
/**
 * Longer than a worker's, because statistics of a large backlog come before the expired leases; and short,
 * because while the answer to one of its statements is lost nothing is redelivered.
 */
const superviseMsMax = 12_000;

/**
 * Gives back what dead workers held, counts what waits, removes what was kept long enough. In an instance and
 * on a connection of its own: a pass that waits for a worker's would stop all redelivery. pg-boss would look
 * after all queues every few seconds; each receiver looking after its own costs a fraction of that.
 */
export class Supervision {
  readonly #boss: PgBoss;
  readonly #log: Logger;
  #loop: PassLoop | undefined;

  /** @param options.url connection string of the broker's role @param options.name of the service */
  constructor(options: { url: string; name: string; log: Logger; onError: (error: Error) => void }) {
    this.#log = options.log;
    this.#boss = new PgBoss({
      ...brokerConnection(options.url, options.name),
      max: superviseConnectionsMax,
      query_timeout: superviseMsMax,
      statement_timeout: superviseMsMax - 1_000,
      supervise: false,
      monitorIntervalSeconds: supervisedSeconds,
      maintenanceIntervalSeconds: maintenanceSeconds,
      registerInstance: false,
    } as ConstructorParameters<typeof PgBoss>[0]);
    this.#boss.on('error', options.onError);
    this.#boss.on('warning', ({ message, data }) => {
      // The one for operators: queues whose dead rows stay get slower until somebody ends what keeps them.
      if ('deadTuples' in data) options.log.warn({ warning: message }, 'dead rows stay in the queues');
      else options.log.debug({ warning: message }, 'broker warning');
    });
  }

  /** Connects. Rejects while the broker is away or not migrated; may then be called again. */
  async start(): Promise<void> {
    await this.#boss.start();
  }

  /** Looks after this queue from now on. @param measured whether somebody wants to know what waits in all of them */
  watch(queue: Queue, { measured }: { measured: boolean }): void {
    const every = measured ? passesOfAllMeasured : passesOfAll;
    let passes = 0;
    this.#loop = new PassLoop({
      name: 'supervision',
      idleMs: superviseMs,
      log: this.#log,
      pass: async () => {
        if (passes % every === 0) await this.#boss.supervise();
        else await this.lookAfter(queue, { counted: measured });
        passes += 1;
        return false;
      },
    });
    this.#loop.start();
  }

  /**
   * Gives back what dead workers held in a queue. Where nothing is leased nothing can expire: to see that costs a
   * hundredth of a whole look, and an idle system does little else.
   * @param counted whether to count what waits, too, even when nothing is leased
   */
  async lookAfter(queue: Queue, { counted }: { counted: boolean }): Promise<void> {
    if (counted || (await this.#isLeased(queue))) await this.#boss.supervise(queue);
  }

  /** Counts what waits in the queues, unless that was done a moment ago. */
  async count(): Promise<void> {
    for (const queue of queues) await this.#boss.supervise(queue);
  }

  async #isLeased(queue: Queue): Promise<boolean> {
    const { rows } = await this.#boss.getDb().executeSql(isLeasedStatement(queue));
    return rows[0]?.leased === true;
  }

  /** Its connections now. */
  get connections(): Connections {
    return poolOf(this.#boss);
  }

  async stop(options: { timeout: number }): Promise<void> {
    // Asks the pass under way to end; until then it would wait for a server that does not answer.
    const stopped = this.#boss.stop(options);
    await Promise.all([this.#loop?.stop(), stopped]);
  }
}
