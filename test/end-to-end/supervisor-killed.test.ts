import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { RunningSystem } from '../support/running-system.ts';

describe('tillbox up, killed with kill -9', () => {
  it('leaves no daemon behind', async function () {
    this.timeout(60_000);
    const system = new RunningSystem([], {}, { embedded: true });
    await system.start();
    const { runtime } = system;
    if (!runtime.embedded) {
      // Nobody would remove the databases on a server of somebody else's.
      await system.stop();
      this.skip();
    }
    const pids = [runtime.gateway, ...runtime.orders, ...runtime.payments].map(({ pid }) => pid);
    // Requests and their log make the daemons notice that nobody reads it any more.
    for (let index = 0; index < 8; index += 1) await fetch(`${system.url}/readyz`);
    process.kill(runtime.pid, 'SIGKILL');
    for (const pid of pids) {
      await eventually(() => expect(() => process.kill(pid, 0)).to.throw('ESRCH'), { withinMs: 12_000 });
    }
    rmSync(system.home, { recursive: true, force: true });
  });
});
