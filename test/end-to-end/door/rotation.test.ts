import { expect } from 'chai';
import { sqlBehind } from '../../support/administrator.ts';
import { eventually } from '../../support/eventually.ts';
import { useSystem } from '../../support/running-system.ts';

describe('migrate --rotate', () => {
  const system = useSystem();
  const passwords = () =>
    sqlBehind<{ duty: string; password: string }>(
      system.runtime,
      'orders',
      'select duty, password from tillbox.roles order by duty',
    );

  it('gives every role a new password, a scram one, and the daemons that run go on with it', async () => {
    await system.post('/accounts', { user_id: 'alice' });
    await system.post('/accounts/alice/topups', { amount: '100' });
    const before = await passwords();
    const pids = [...system.runtime.orders, ...system.runtime.payments].map(({ pid }) => pid);
    const done = await system.json<{ rotated: boolean }>(['migrate', '--rotate']);
    expect(done.rotated).to.equal(true);
    const after = await passwords();
    expect(after.map(({ duty }) => duty)).to.deep.equal(['auditor', 'broker', 'orders', 'payments']);
    for (const [index, { password }] of after.entries())
      expect(password).not.to.equal(before[index]?.password);
    const stored = await sqlBehind<{ verifier: string }>(
      system.runtime,
      'orders',
      'select rolpassword as verifier from pg_authid join tillbox.roles on rolname = name',
    );
    for (const { verifier } of stored) expect(verifier).to.match(/^SCRAM-SHA-256\$/);

    // Whatever connections there were: the daemons have the new login now.
    await sqlBehind(
      system.runtime,
      'orders',
      `select pg_terminate_backend(pid) from pg_stat_activity where usename in (select name from tillbox.roles)`,
    );
    await eventually(
      () => {
        const now = [...system.runtime.orders, ...system.runtime.payments].map(({ pid }) => pid);
        for (const pid of now) expect(pids).not.to.include(pid);
      },
      { withinMs: 40_000, everyMs: 100 },
    );
    await eventually(
      async () => {
        const order = await system.post<{ status: string }>(
          '/orders',
          { user_id: 'alice', amount: '1' },
          { prefer: 'wait=10' },
        );
        expect(order.body.status).to.equal('FINISHED');
      },
      { withinMs: 30_000, everyMs: 200 },
    );
    expect((await system.run(['audit', '--wait', '30'])).code).to.equal(0);
  }).timeout(120_000);
});
