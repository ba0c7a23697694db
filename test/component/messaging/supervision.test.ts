import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { Supervision } from '../../../src/messaging/broker/supervision.ts';
import { useDatabases } from '../../support/databases.ts';
import { silentLog } from '../../support/test-server.ts';

describe('the supervision of a queue', () => {
  const databases = useDatabases();
  const queue = 'payment-requests';
  let supervision: Supervision;
  let warnings: string[];

  beforeEach(async () => {
    warnings = [];
    const log = Object.create(silentLog, {
      warn: {
        value: ({ warning }: { warning: string }, said: string) => warnings.push(`${said}: ${warning}`),
      },
    });
    supervision = new Supervision({
      url: databases.urls.broker,
      name: 'test',
      log,
      onError: (error) => {
        throw error;
      },
    });
    await supervision.start();
    // As if nobody had looked for a long time.
    await databases.sql('broker', 'update broker.queue set monitor_on = null, monitor_claim_on = null');
  });

  afterEach(async () => {
    await supervision.stop({ timeout: 1_000 });
    await databases.sql('broker', 'delete from broker.job');
  });

  /** A job in some state, taken this many seconds ago where a worker has it. */
  async function addJob(state: string, { takenSecondsAgo = 0 } = {}): Promise<string> {
    const id = randomUUID();
    await databases.sql(
      'broker',
      `insert into broker.job (id, name, state, started_on, expire_seconds, retry_limit)
         values ($1, $2, $3, now() - make_interval(secs => $4), 10, 5)`,
      [id, queue, state, takenSecondsAgo],
    );
    return id;
  }

  async function stateOf(id: string): Promise<string | undefined> {
    const rows = await databases.sql<{ state: string }>(
      'broker',
      'select state from broker.job where id = $1',
      [id],
    );
    return rows[0]?.state;
  }

  async function wasCounted(): Promise<boolean> {
    const rows = await databases.sql<{ counted: boolean }>(
      'broker',
      'select monitor_on is not null as counted from broker.queue where name = $1',
      [queue],
    );
    return rows[0]?.counted === true;
  }

  it('leaves a queue alone in which nothing is leased, whatever waits there or is done', async () => {
    for (const state of ['created', 'retry', 'completed', 'failed']) await addJob(state);
    await supervision.lookAfter(queue, { counted: false });
    expect(await wasCounted()).to.equal(false);
  });

  it('counts such a queue all the same for who wants to know', async () => {
    await supervision.lookAfter(queue, { counted: true });
    expect(await wasCounted()).to.equal(true);
  });

  it('gives back what a worker has held for too long, and nothing else', async () => {
    const expired = await addJob('active', { takenSecondsAgo: 11 });
    const held = await addJob('active', { takenSecondsAgo: 1 });
    await supervision.lookAfter(queue, { counted: false });
    expect([await stateOf(expired), await stateOf(held)]).to.deep.equal(['retry', 'active']);
  });

  it('warns of a transaction that keeps vacuum from removing dead rows, once', async () => {
    const reader = new pg.Client({
      connectionString: databases.urls.broker,
      application_name: 'a long report',
    });
    await reader.connect();
    try {
      await reader.query('begin isolation level repeatable read');
      await reader.query('select from broker.version');
      const [table] = await databases.sql<{ name: string }>(
        'broker',
        `select format('%I.%I', 'broker', table_name) as name from broker.queue where name = $1`,
        [queue],
      );
      for (let vacuum = 1; vacuum <= 4; vacuum += 1) {
        await databases.sql(
          'broker',
          `insert into broker.job (name) select '${queue}' from generate_series(1, 1000)`,
        );
        await databases.sql('broker', `delete from broker.job where name = '${queue}'`);
        await databases.sql('broker', `vacuum ${table?.name}`);
        await supervision.lookAfter(queue, { counted: true });
      }
      expect(warnings).to.have.length(1);
      expect(warnings[0])
        .to.match(/^dead rows stay in the queues: /)
        .and.to.contain('a long report');
    } finally {
      await reader.end();
    }
  });
});
