import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { useSystem } from '../../support/running-system.ts';
import { testSecret } from '../../support/tokens.ts';

const collectorKey = 'dddddddddddddddddddd';
const token = 'aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccc';

describe('secrets', () => {
  const environment = {
    TILLBOX_AUTH_SECRET: testSecret,
    TILLBOX_TOKEN: token,
    // Of a collector to which nothing is sent.
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${collectorKey}`,
    TILLBOX_LOG_LEVEL: 'trace',
  };
  // The server's processes are looked at too.
  const system = useSystem(['--no-color'], environment, { embedded: true });

  /** Every process of the system, by name. */
  function processes(): Map<string, number> {
    const { runtime } = system;
    return new Map([
      ['up', runtime.pid],
      ['gateway', runtime.gateway.pid],
      ...runtime.orders.map(({ pid }) => ['orders', pid] as const),
      ...runtime.payments.map(({ pid }) => ['payments', pid] as const),
      ...postgresProcesses().map((pid) => [`postgres ${pid}`, pid] as const),
    ]);
  }

  function postgresProcesses(): number[] {
    const folder = join(system.runtime.dataFolder ?? '', 'postmaster.pid');
    const first = Number(readFileSync(folder, 'utf8').split('\n')[0]);
    const children = readdirSync('/proc').filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === first;
      } catch {
        return false;
      }
    });
    return [first, ...children.map(Number)];
  }

  const textOf = (pid: number, what: 'environ' | 'cmdline') => {
    try {
      return readFileSync(`/proc/${pid}/${what}`, 'utf8');
    } catch {
      return '';
    }
  };

  /** All that must not be seen. */
  function secrets(): Record<string, string> {
    const gateway = Object.fromEntries(
      textOf(system.runtime.gateway.pid, 'environ')
        .split('\0')
        .map((line) => line.split('=', 2) as [string, string]),
    );
    return {
      'the auth secret': testSecret,
      'the token': token,
      'the key of the collector': collectorKey,
      'the gateway credential': gateway['TILLBOX_GATEWAY_SECRET'] as string,
      "the administrator's password": new URL(system.runtime.databases.orders).password,
      "the local operator's token": readFileSync(join(system.home, 'token'), 'utf8').trim(),
    };
  }

  it('are in no arguments of any process', () => {
    for (const [name, pid] of processes()) {
      for (const [what, secret] of Object.entries(secrets())) {
        expect(secret.length).to.be.greaterThan(15);
        expect(textOf(pid, 'cmdline').includes(secret), `${what} in the arguments of ${name}`).to.equal(
          false,
        );
      }
    }
  });

  it('are in the environment of those alone that need them', () => {
    const needed: Record<string, string[]> = {
      gateway: ['the auth secret', 'the gateway credential'],
      orders: ['the gateway credential'],
      payments: ['the gateway credential'],
    };
    for (const [name, pid] of processes()) {
      if (name === 'up') continue;
      for (const [what, secret] of Object.entries(secrets())) {
        const holds = textOf(pid, 'environ').includes(secret);
        expect(holds, `${what} in the environment of ${name}`).to.equal(
          needed[name]?.includes(what) ?? false,
        );
      }
      const urls = (textOf(pid, 'environ').match(/\w+_DATABASE_URL/g) ?? []).sort();
      const own =
        name === 'orders' || name === 'payments'
          ? ['BROKER_DATABASE_URL', `${name.toUpperCase()}_DATABASE_URL`]
          : [];
      expect(urls, name).to.deep.equal(own.sort());
    }
  });

  it('are in no log, at the finest level, whatever a client sends', async () => {
    const { secret, ...rest } = { secret: 'a-secret-of-a-client-0123456789', ...secrets() };
    const headers = { authorization: `Bearer ${secret}.${secret}.${secret}`, 'idempotency-key': 'k' };
    await system.get(`/accounts/${secret}?token=${secret}`, headers);
    await system.post('/orders', `{"user_id":"${secret}"`, headers);
    await system.run(['create-account', 'alice']);
    expect(system.output).to.contain('listening');
    for (const [what, value] of Object.entries({ 'a secret of a client': secret, ...rest })) {
      expect(system.output.includes(value), `${what} in the log`).to.equal(false);
    }
  });

  it('are shown by status only when asked to', async () => {
    const env = { TILLBOX_TOKEN: '' };
    const password = new URL(system.runtime.databases.orders).password;
    const plain = await system.run(['status', '--json'], { env });
    expect(plain.stdout).to.contain('***').and.not.contain(password);
    expect((await system.run(['status'], { env })).stdout).not.to.contain(password);
    const shown = await system.run(['status', '--json', '--show-secrets'], { env });
    expect(shown.stdout).to.contain(password);
    for (const [what, secret] of Object.entries(secrets())) {
      if (secret !== password) expect(shown.stdout.includes(secret), what).to.equal(false);
    }
  });

  it('are in no error, of a token or an URL that is refused', async () => {
    const refused = await system.run(['balance', 'alice'], { env: { TILLBOX_TOKEN: token } });
    expect(refused.code).to.equal(4);
    const wrong = {
      TILLBOX_AUTH_SECRET: 'too-short-secret',
      TILLBOX_TOKEN: 'no token, secret',
      DATABASE_URL: 'postgres://u:secret-1@127.0.0.1:1/d',
    };
    const usage = await system.run(['balance', 'alice'], { env: wrong });
    const { TILLBOX_AUTH_SECRET, TILLBOX_TOKEN, ...away } = wrong;
    const unreachable = await system.run(['audit'], { env: { ...away, TILLBOX_LOG_LEVEL: 'trace' } });
    expect([usage.code, unreachable.code]).to.deep.equal([2, 7]);
    for (const { stdout, stderr } of [refused, usage, unreachable]) {
      expect(stdout + stderr)
        .not.to.contain(token)
        .and.not.contain('too-short')
        .and.not.contain('no token')
        .and.not.contain('secret-1');
    }
  });

  it('are in files that only their owner reads', () => {
    for (const name of ['token', 'runtime.json']) {
      expect((statSync(join(system.home, name)).mode & 0o777).toString(8), name).to.equal('600');
    }
    expect((statSync(system.home).mode & 0o777).toString(8)).to.equal('700');
  });
});
