import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readConfig } from '../../../src/platform/config.ts';
import { createLogger } from '../../../src/platform/logging.ts';
import { checkGateway } from '../../../src/tools/doctor/gateway-checks.ts';
import { checkHome } from '../../../src/tools/doctor/home-checks.ts';
import { checkMachine, checkNode } from '../../../src/tools/doctor/machine-checks.ts';
import { checkPorts } from '../../../src/tools/doctor/port-checks.ts';
import { checkKept, checkRetention } from '../../../src/tools/doctor/retention-checks.ts';
import type { Surroundings } from '../../../src/tools/doctor/surroundings.ts';

describe('tools: doctor on this machine', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'tillbox-doctor-'));
    chmodSync(home, 0o700);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  function surroundings(environment: Record<string, string> = {}, more: Partial<Surroundings> = {}) {
    return {
      config: readConfig({ TILLBOX_HOME: home, ...environment }),
      runtime: undefined,
      supervised: false,
      serving: {
        gateway: { url: 'http://127.0.0.1:1', ready: false },
        orders: { instances: [] },
        payments: { instances: [] },
      },
      embedded: { binaries: { version: '18.4' }, dataFolder: undefined, url: undefined, problem: undefined },
      log: createLogger('doctor', 'silent'),
      ...more,
    } satisfies Surroundings;
  }

  it('wants a Node that is new enough', () => {
    for (const version of ['22.12.0', '22.20.1', '24.0.0', '30.1.0']) {
      expect(checkNode(version).level, version).to.equal('ok');
    }
    for (const version of ['22.11.9', '20.19.0', '18.0.0']) {
      expect(checkNode(version), version).to.include({ level: 'failure' });
    }
  });

  it('fails without a Postgres to run, and only warns when databases are given', async () => {
    const embedded = { ...surroundings().embedded, binaries: { problem: 'There is no package.' } };
    const [, alone] = await checkMachine(surroundings({}, { embedded }));
    expect(alone).to.include({ check: 'embedded postgres', level: 'failure' });
    const [, given] = await checkMachine(surroundings({ DATABASE_URL: 'postgres://x/y' }, { embedded }));
    expect(given).to.include({ check: 'embedded postgres', level: 'warning' });
  });

  describe('the home', () => {
    const levels = async (more: Partial<Surroundings> = {}) =>
      Object.fromEntries((await checkHome(surroundings({}, more))).map(({ check, level }) => [check, level]));

    it('is well when it is private, or not there yet', async () => {
      expect(await levels()).to.include({ home: 'ok', secrets: 'ok' });
      rmSync(home, { recursive: true });
      expect(await levels()).to.deep.equal({ home: 'ok' });
    });

    it('must be a folder', async () => {
      rmSync(home, { recursive: true });
      writeFileSync(home, '');
      expect(await levels()).to.include({ home: 'failure' });
    });

    it('must not be writable by others, with the command that mends it', async () => {
      chmodSync(home, 0o777);
      const [found] = await checkHome(surroundings());
      expect(found).to.include({ level: 'failure', remedy: `chmod go-w ${home}` });
    });

    it('must keep its secrets', async () => {
      for (const name of ['runtime.json', 'auth-secret', 'gateway-secret', 'token', 'postgres/password']) {
        mkdirSync(join(home, 'postgres'), { recursive: true });
        const path = join(home, name);
        writeFileSync(path, '', { mode: 0o600 });
        expect(await levels(), name).to.include({ secrets: 'ok' });
        chmodSync(path, 0o640);
        const found = (await checkHome(surroundings())).find(({ check }) => check === 'secrets');
        expect(found, name).to.include({ level: 'failure', remedy: `chmod 600 ${path}` });
        chmodSync(path, 0o600);
      }
    });

    it('should keep its journal to itself', async () => {
      mkdirSync(join(home, 'pending'));
      chmodSync(join(home, 'pending'), 0o755);
      expect(await levels()).to.include({ secrets: 'warning' });
    });

    it('tells of a supervisor that was killed', async () => {
      writeFileSync(join(home, 'up.lock'), JSON.stringify({ pid: 2 ** 22, startedAt: 'then' }));
      expect(await levels()).to.include({ supervisor: 'warning' });
      expect(await levels({ supervised: true })).to.include({ supervisor: 'ok' });
    });
  });

  describe('ports', () => {
    it('are taken by another program, or free', async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      try {
        const found = await checkPorts(
          surroundings({ GATEWAY_PORT: String(port), ORDERS_PORT: '0', PAYMENTS_PORT: '0' }),
        );
        expect(found.map(({ level }) => level)).to.deep.equal(['failure', 'ok', 'ok']);
        expect(found[0]?.remedy).to.contain('Set GATEWAY_PORT');
      } finally {
        server.close();
      }
    });
  });

  describe('the gateway', () => {
    async function against(answer: object | string, check: (url: string) => Promise<void>): Promise<void> {
      const server = createHttpServer((_request, response) =>
        response.end(typeof answer === 'string' ? answer : JSON.stringify(answer)),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        await check(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      } finally {
        server.closeAllConnections();
        server.close();
      }
    }
    const instance = (ready: boolean) => ({ pid: 1, ready });

    it('is missing: a warning when nothing runs, a failure when something should', async () => {
      expect(await checkGateway(surroundings())).to.have.nested.property('[0].level', 'warning');
      expect(await checkGateway(surroundings({}, { supervised: true }))).to.have.nested.property(
        '[0].level',
        'failure',
      );
      const elsewhere = surroundings({ TILLBOX_URL: 'http://127.0.0.1:1' });
      expect(await checkGateway(elsewhere)).to.have.nested.property('[0].level', 'failure');
    });

    it('is somebody else', async () => {
      await against('<html>', async (url) => {
        const serving = { ...surroundings().serving, gateway: { url, ready: false } };
        const [found] = await checkGateway(surroundings({}, { serving }));
        expect(found).to.include({ level: 'failure' });
        expect(found?.detail).to.contain('no gateway of tillbox');
      });
    });

    it('has instances that are not ready', async () => {
      await against({ service: 'gateway', ready: true }, async (url) => {
        const serving = {
          gateway: { url, ready: true },
          orders: { instances: [instance(true), instance(false)] },
          payments: { instances: [instance(false)] },
        };
        const found = await checkGateway(surroundings({}, { serving }));
        expect(found.map(({ level }) => level)).to.deep.equal(['ok', 'warning', 'failure']);
      });
    });

    it('does not tell of instances whoever is no operator: it counts for what it says of itself', async () => {
      await against({ service: 'gateway' }, async (url) => {
        const levelOf = async (ready: boolean) => {
          const none = { instances: [] };
          const serving = {
            gateway: { url, ready },
            orders: none,
            payments: none,
            instances_hidden: true as const,
          };
          return (await checkGateway(surroundings({}, { serving }))).map(({ check, level }) => [
            check,
            level,
          ]);
        };
        expect(await levelOf(true)).to.deep.equal([
          ['gateway', 'ok'],
          ['services', 'ok'],
        ]);
        expect((await levelOf(false))[1]).to.deep.equal(['services', 'failure']);
      });
    });
  });

  describe('retention', () => {
    it('warns of windows that are too short for what may still come', () => {
      const usual = { inboxRetentionDays: 7, idempotencyRetentionDays: 30 };
      const levels = (settings: Partial<typeof usual>) =>
        checkRetention({ ...usual, ...settings }).map(({ level }) => level);
      expect(levels({})).to.deep.equal(['ok', 'ok']);
      expect(levels({ inboxRetentionDays: 0.01 })).to.deep.equal(['warning', 'ok']);
      expect(levels({ idempotencyRetentionDays: 0.5 })).to.deep.equal(['ok', 'warning']);
    });

    it('fails when a queue throws away what waits, or a dead letter', () => {
      const long = 315_360_000;
      const queue = { name: 'payment-requests', waiting: long, completed: 3_600 };
      const letters = { name: 'payment-requests-dead-letters', waiting: long, completed: long };
      expect(checkKept([queue, letters])).to.include({ level: 'ok' });
      expect(checkKept([{ ...queue, waiting: 1_209_600 }, letters])).to.include({ level: 'failure' });
      expect(checkKept([queue, { ...letters, waiting: 1_209_600 }])).to.include({ level: 'failure' });
      expect(checkKept([queue, { ...letters, completed: 604_800 }])).to.include({ level: 'warning' });
    });
  });
});
