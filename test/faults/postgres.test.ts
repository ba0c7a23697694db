import { setTimeout as sleep } from 'node:timers/promises';
import { databaseNames } from '../../src/platform/config.ts';
import type { EmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';

/** How long a server is away, each time. */
const awayMs = [0, 1_000, 3_000, 10_000];
const betweenMs = 3_000;

describe('faults: Postgres stopped immediately', () => {
  // Durable, because it is the recovery of Postgres that is relied on here.
  const system = useHarmedSystem({ separateDatabases: true, fsync: true });

  for (const victims of [...databaseNames.map((name) => [name]), [...databaseNames]]) {
    it(`recovers from crashes of ${victims.join(', ')}, again and again`, async function () {
      this.timeout(180_000);
      const load = await new OrderLoad(system).start();
      let healedAt = 0;
      for (const ms of awayMs) {
        await sleep(betweenMs);
        const servers: EmbeddedPostgres[] = victims.map((name) => system.servers[name]);
        await Promise.all(servers.map((server) => server.crash()));
        await sleep(ms);
        await Promise.all(servers.map((server) => server.revive()));
        healedAt = performance.now();
      }
      await sleep(500);
      tell(this, told(await expectRecovery(system, load, { healedAt })));
    });
  }
});
