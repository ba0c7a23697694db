import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { readConfig } from '../../../src/platform/config.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import { Dashboard } from '../../../src/tools/dashboard/dashboard.ts';
import { findDashboard, installLine } from '../../../src/tools/dashboard/dashboard-package.ts';
import { eventually } from '../../support/eventually.ts';
import { claimsFor, sign, testSecret } from '../../support/tokens.ts';

/** What stands for the package: it asks for the same name and password, and tells what it got. */
const program = `
import { createServer } from 'node:http';
const { HOST, PORT, PGBOSS_DASHBOARD_AUTH_USERNAME: name, PGBOSS_DASHBOARD_AUTH_PASSWORD: password } = process.env;
const expected = 'Basic ' + Buffer.from(name + ':' + password).toString('base64');
createServer((request, response) => {
  if (request.headers.authorization !== expected) return response.writeHead(401).end('go away');
  if (request.url === '/die') process.exit(3);
  let body = '';
  request.on('data', (part) => { body += part; }).on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-from': 'behind' });
    response.end(JSON.stringify({ pid: process.pid, port: PORT, method: request.method, url: request.url, body,
      headers: request.headers, environment: process.env, words: process.argv }));
  });
}).listen(Number(PORT), HOST, () => console.log('listening on ' + PORT));
`;

interface Told {
  pid: number;
  port: string;
  method: string;
  url: string;
  body: string;
  headers: Record<string, string>;
  environment: Record<string, string>;
  words: string[];
}

describe('tools: the dashboard', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillbox-dashboard-'));
  const path = join(folder, 'cli.mjs');
  const databaseUrl = 'postgres://auditor:s3cret@127.0.0.1:1/tillbox';
  const started: Dashboard[] = [];
  let url = '';

  before(() => writeFileSync(path, program));
  afterEach(async () => {
    for (const dashboard of started.splice(0)) await dashboard.stop();
  });
  after(() => rmSync(folder, { recursive: true }));

  async function start(environment: Record<string, string> = {}, settings: object = {}): Promise<Dashboard> {
    const { door } = readConfig({ HOME: '/nonexistent', ...environment });
    const from = { program: path, databaseUrl, host: '127.0.0.1', port: 0, door };
    const dashboard = new Dashboard({ ...from, ...settings });
    started.push(dashboard);
    url = await dashboard.start();
    return dashboard;
  }

  /** With `node:http`, because fetch chooses Host and Origin itself. */
  function ask(
    target: string,
    headers: Record<string, string> = {},
    options: { method?: string; body?: string } = {},
  ): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
    return new Promise((resolve, reject) => {
      const asked = request(`${url}${target}`, { method: options.method ?? 'GET', headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      });
      asked.on('error', reject);
      asked.end(options.body);
    });
  }
  const told = async (...words: Parameters<typeof ask>): Promise<Told> =>
    JSON.parse((await ask(...words)).text);
  const basic = (token: string) => ({
    authorization: `Basic ${Buffer.from(`anybody:${token}`).toString('base64')}`,
  });
  const token = (scope: string) => sign(claimsFor('ops', { scope }), testSecret);
  const failureOf = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      return error as CodedError;
    }
    throw new Error('it did not fail');
  };
  const isAlive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  it('is passed on to who is on this machine, reading alone, with no secret in its arguments', async () => {
    await start();
    const {
      url: asked,
      environment,
      words,
      headers,
    } = await told('/jobs?state=failed', { host: 'localhost:7450' });
    expect(asked).to.equal('/jobs?state=failed');
    expect(headers['host']).to.equal('localhost:7450');
    expect(environment).to.include({
      DATABASE_URL: `tillbox=${databaseUrl}`,
      PGBOSS_SCHEMA: 'broker',
      PGBOSS_DASHBOARD_READ_ONLY: '1',
      HOST: '127.0.0.1',
    });
    expect(Object.keys(environment).filter((name) => /TILLBOX|AUTH_SECRET/.test(name))).to.deep.equal([]);
    expect(words.join(' ')).not.to.contain('s3cret');
    const { headers: answered } = await ask('/');
    expect(answered).to.include({ 'x-from': 'behind', 'x-content-type-options': 'nosniff' });
    expect(answered['content-security-policy'])
      .to.contain("frame-ancestors 'none'")
      .and.contain("default-src 'self'");
  });

  it('cannot be reached round its door', async () => {
    await start();
    const { port } = await told('/');
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).to.equal(401);
  });

  it('lets in an operator alone where a token is needed, as bearer or as password', async () => {
    await start({ TILLBOX_AUTH_SECRET: testSecret });
    const nobody = await ask('/');
    expect(nobody.status).to.equal(401);
    expect(nobody.headers['www-authenticate']).to.match(/^Basic realm=/);
    expect((await ask('/', basic('wrong'))).status).to.equal(401);
    expect((await ask('/', basic(await token('user')))).status).to.equal(403);
    const operator = await token('operator');
    for (const headers of [basic(operator), { authorization: `Bearer ${operator}` }]) {
      const answer = await ask('/', headers);
      expect(answer.status).to.equal(200);
      // What is behind never sees it.
      expect(answer.text).not.to.contain(operator.slice(0, 30));
    }
  });

  it('answers to no name that a page could have rebound, and takes changes from no other page', async () => {
    await start();
    const host = new URL(url).host;
    expect((await ask('/', { host: 'evil.example' })).status).to.equal(421);
    const body = 'action=delete';
    const form = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    };
    const post = (headers: Record<string, string>) =>
      ask('/queues', { ...form, ...headers }, { method: 'POST', body });
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect(
        (await post(headers as unknown as Record<string, string>)).status,
        JSON.stringify(headers),
      ).to.equal(403);
    }
    const own = await post({ origin: `http://${host}` });
    expect([own.status, (JSON.parse(own.text) as Told).body]).to.deep.equal([200, body]);
    const large = await ask('/', { 'content-length': '2000000' }, { method: 'POST' }).catch(() => ({
      status: 413,
    }));
    expect(large.status).to.equal(413);
  });

  it('does not listen for other machines without an identity and a safe line', async () => {
    const failure = await start({}, { host: '0.0.0.0' }).catch((error) => error);
    expect(failure).to.be.instanceOf(CodedError).with.property('code', 'usage');
    expect(failure.message).to.contain('--host=0.0.0.0').and.contain('TILLBOX_AUTH_SECRET');
  });

  it('says which port is taken, and leaves nothing behind', async () => {
    await start();
    const failure = await start({}, { port: Number(new URL(url).port) }).catch((error) => error);
    expect(failure).to.have.property('code', 'conflict');
    expect(failure.message).to.contain('--port');
  });

  it('leaves nothing when it stops, twice or before it has started', async () => {
    const dashboard = await start();
    const { pid } = await told('/');
    await dashboard.stop();
    await dashboard.stop();
    expect(isAlive(pid)).to.equal(false);
    expect(await ask('/').catch((error) => error.code)).to.equal('ECONNREFUSED');
    const early = new Dashboard({
      program: path,
      databaseUrl,
      host: '127.0.0.1',
      port: 0,
      door: readConfig({}).door,
    });
    await early.stop();
  });

  it('says so when what is behind ends, and what it said last when it does not start', async () => {
    const dashboard = await start();
    const died = dashboard.untilDied().catch((error) => error);
    expect((await ask('/die')).status).to.equal(503);
    expect(await died)
      .to.have.property('message')
      .that.contains('ended');
    const broken = join(folder, 'broken.mjs');
    writeFileSync(broken, 'console.error("no such thing"); process.exit(1)');
    const failure = await start({}, { program: broken }).catch((error) => error);
    expect(failure.message).to.contain('did not start').and.contain('no such thing');
    await eventually(() => expect(failure).to.have.property('exitCode', 7));
  });

  it('is found beside tillbox; where it is not, the line that installs it is named', () => {
    const root = join(folder, 'a clone');
    mkdirSync(join(root, 'src'), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{}');
    const from = pathToFileURL(join(root, 'src', 'x.js')).href;
    const { code, exitCode, message } = failureOf(() => findDashboard(from));
    expect([code, exitCode]).to.deep.equal(['usage', 2]);
    expect(message).to.contain(`\n  npm install --no-save --prefix '${root}' @pg-boss/dashboard@`);
    const installed = join(root, 'node_modules/@pg-boss/dashboard');
    mkdirSync(join(installed, 'bin'), { recursive: true });
    writeFileSync(join(installed, 'package.json'), '{"name":"@pg-boss/dashboard"}');
    writeFileSync(join(installed, 'bin/cli.js'), '');
    expect(findDashboard(from)).to.equal(join(installed, 'bin/cli.js'));
  });

  it('is installed where the tillbox in use looks for it: globally, or in the project', () => {
    expect(installLine('/usr/lib/node_modules/tillbox')).to.match(
      /^npm install --global @pg-boss\/dashboard@\d/,
    );
    const project = join(folder, 'shop');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{}');
    expect(installLine(join(project, 'node_modules/tillbox'))).to.match(
      new RegExp(`^npm install --prefix ${project} @pg-boss/dashboard@`),
    );
  });
});
