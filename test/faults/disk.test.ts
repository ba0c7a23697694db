import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { databaseNames } from '../../src/platform/config.ts';
import { eventually } from '../support/eventually.ts';
import { useHarmedSystem } from '../support/harmed-system.ts';
import { expectRecovery, OrderLoad, tell, told } from '../support/order-load.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

/** What each fsync takes longer, and for how long it does. */
const fsyncMs = 200;
const slowForMs = 15_000;
/** Room for a few files of the log, of 16 MB each. */
const walDisk = '160m';
const walSettings = { min_wal_size: '32MB', max_wal_size: '64MB' };
const fullForMs = 8_000;

describe('faults: a slow disk', () => {
  // Without fsync there would be nothing to be slow.
  const system = useHarmedSystem({ separateDatabases: true, fsync: true });

  for (const database of databaseNames) {
    it(`works on while every fsync of the server of ${database} takes ${fsyncMs} ms, and recovers`, async function () {
      this.timeout(120_000);
      const load = await new OrderLoad(system, { perSecond: 20 }).start();
      await sleep(500);
      const commitMs = async () => {
        const since = performance.now();
        await system.sql(database, `select pg_logical_emit_message(true, 'test', 'of a commit')`);
        return performance.now() - since;
      };
      const slowness = await slowDown(await backends());
      if (slowness === undefined) {
        console.log('      skipped: there is no strace, or it may not trace');
        this.skip();
      }
      // What begins later is a child of the postmaster, which is traced as well.
      await eventually(async () => expect(await commitMs()).to.be.above(fsyncMs));
      await sleep(slowForMs);
      const refused = load.refusals.filter(({ status }) => status !== 503);
      slowness.kill('SIGINT');
      await eventually(async () => expect(await commitMs()).to.be.below(fsyncMs));
      const healedAt = performance.now();
      expect(refused).to.deep.equal([]);
      tell(this, told(await expectRecovery(system, load, { healedAt })));

      async function backends(): Promise<number[]> {
        const rows = await system.sql<{ pid: number }>(database, 'select pid from pg_stat_activity');
        const [postmaster] = await system.sql<{ pid: string }>(
          database,
          `select split_part(pg_read_file('postmaster.pid'), e'\\n', 1) as pid`,
        );
        return [Number(postmaster?.pid), ...rows.map(({ pid }) => pid)];
      }
    });
  }

  /** Lets strace delay the system calls of these processes; undefined where it cannot. */
  async function slowDown(pids: readonly number[]): Promise<ChildProcess | undefined> {
    const tracer = spawn(
      'strace',
      [
        ...['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
        ...['-e', `inject=fsync,fdatasync:delay_enter=${fsyncMs}ms`],
        ...pids.flatMap((pid) => ['-p', String(pid)]),
      ],
      { stdio: 'ignore' },
    );
    const ended = new Promise<'ended'>((resolve) => {
      tracer.once('error', () => resolve('ended'));
      tracer.once('exit', () => resolve('ended'));
    });
    system.onStop(async () => tracer.kill('SIGINT'));
    return (await Promise.race([ended, sleep(1_000)])) === 'ended' ? undefined : tracer;
  }
});

describe('faults: a disk full below the log of a server', () => {
  const system = useHarmedSystem({ separateDatabases: true, fsync: true, settings: walSettings });

  for (const database of databaseNames) {
    it(`recovers when the server of ${database} died of it, and its disk is freed`, async function () {
      this.timeout(180_000);
      const server = system.servers[database];
      const disk = mountSmallDisk(walDisk, server.dataFolder);
      if (disk === undefined) return this.skip();
      system.onStop(async () => disk.unmount());
      const wal = join(server.dataFolder, 'pg_wal');
      await server.crash();
      renameSync(wal, `${wal}.before`);
      cpSync(`${wal}.before`, join(disk.folder, 'wal'), { recursive: true });
      execFileSync('chown', ['-R', '--reference', server.dataFolder, join(disk.folder, 'wal')]);
      symlinkSync(join(disk.folder, 'wal'), wal);
      rmSync(`${wal}.before`, { recursive: true });
      await server.revive();
      await system.untilReady();

      const load = await new OrderLoad(system, { perSecond: 50 }).start();
      await sleep(1_000);
      disk.fill();
      // Files of the log that are there already are used up first.
      const write = async () => {
        await system.sql(database, `select pg_logical_emit_message(true, 'test', 'to be written')`);
        await system.sql(database, 'select pg_switch_wal()');
        throw new Error('the disk is not full yet');
      };
      await eventually(() => write().catch((error) => expect(String(error)).not.to.contain('not full yet')), {
        withinMs: 30_000,
        everyMs: 20,
      });
      await sleep(fullForMs);
      const refused = load.refusals.filter(({ status }) => status !== 503 && status !== 0);
      disk.free();
      await eventually(() => server.revive(), { withinMs: 30_000 });
      const healedAt = performance.now();
      await sleep(500);
      expect(refused).to.deep.equal([]);
      tell(this, told(await expectRecovery(system, load, { healedAt })));
    });
  }
});
