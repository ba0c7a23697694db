import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import type { Page } from 'puppeteer-core';
import type { BoardDocument } from '../../src/gateway/board/board-document.ts';
import { useBrowser, type WatchedPage } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningSystem, useSystem } from '../support/running-system.ts';
import { claimsFor, sign, testSecret } from '../support/tokens.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The text of an element as it stands. */
const textOf = (page: Page, selector: string) => page.$eval(selector, (found) => found.textContent ?? '');

/** What axe-core finds against WCAG 2.2 AA and its best practices, for people. */
async function violationsOf(page: Page): Promise<string[]> {
  // Through the protocol, beside the page's own policy, which would refuse it.
  const session = await page.createCDPSession();
  await session.send('Runtime.evaluate', { expression: axe });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) =>
      id + ': ' + nodes.map((node) => node.target + ' ' + node.failureSummary).join('; '))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  return JSON.parse(String(result.value));
}

async function fund(
  system: RunningSystem,
  user_id: string,
  headers: Record<string, string> = {},
): Promise<void> {
  await system.post('/accounts', { user_id }, headers);
  await system.post(`/accounts/${user_id}/topups`, { amount: '100' }, headers);
}

describe('the board over HTTP', () => {
  const system = useSystem([], { TILLBOX_AUTH_SECRET: testSecret, TILLBOX_RATE_PER_TOKEN: '0' });
  const bearer = async (scope: string) => ({
    authorization: `Bearer ${await sign(claimsFor('ops', { scope }), testSecret)}`,
  });

  it('is a page for browsers, and for others what was always there', async () => {
    const page = await fetch(`${system.url}/`, { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(page.status).to.equal(200);
    expect(page.headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(page.headers.get('vary')).to.contain('Accept');
    expect(page.headers.get('content-security-policy')).to.contain("default-src 'none'");
    expect(page.headers.get('content-security-policy')).to.contain("frame-ancestors 'none'");
    expect(await page.text()).to.contain('<title>tillbox</title>');
    for (const accept of ['application/json', '*/*']) {
      const { status, body } = await system.get<{ code: string }>('/', { accept });
      expect([status, body.code]).to.deep.equal([404, 'route-not-found']);
    }
    const post = await system.post<{ code: string }>('/', {}, await bearer('operator'));
    expect([post.status, post.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD']);
  });

  it('tells its figures to operators alone', async () => {
    const { status, headers, body } = await system.get<{ code: string }>('/board/events');
    expect([status, body.code]).to.deep.equal([401, 'unauthenticated']);
    expect(headers.get('www-authenticate')).to.match(/^Bearer/);
    const user = await system.get<{ code: string }>('/board/events', await bearer('user'));
    expect([user.status, user.body.code]).to.deep.equal([403, 'forbidden']);
    expect(user.headers.get('www-authenticate')).to.contain('scope="operator"');
    const inUrl = await system.get<{ code: string }>(
      `/board/events?access_token=${(await bearer('operator')).authorization.slice(7)}`,
    );
    expect(inUrl.status).to.equal(401);
  });

  it('tells them with the services’ own figures, and keeps nobody from stopping', async () => {
    const headers = await bearer('operator');
    await fund(system, 'alice', headers);
    await system.post('/orders', { user_id: 'alice', amount: '1' }, { ...headers, prefer: 'wait=10' });
    const aborting = new AbortController();
    const answer = await fetch(`${system.url}/board/events`, { headers, signal: aborting.signal });
    expect(answer.headers.get('content-type')).to.equal('text/event-stream');
    expect(answer.headers.get('cache-control')).to.contain('no-store');
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    const { value = '' } = (await reader?.read()) ?? {};
    const document = JSON.parse(value.split('data: ')[1]?.split('\n')[0] ?? '') as BoardDocument;
    expect(document.blind).to.deep.equal([]);
    expect(document.queues).to.have.length(7);
    expect(document.orders?.[0]).to.include({ user_id: 'alice', status: 'FINISHED', reached: 6 });
    expect(JSON.stringify(document)).not.to.contain('description');
  });
});

describe('the board in a browser', () => {
  const system = useSystem(['--instances', 'payments=1']);
  const open = useBrowser();

  async function openBoard(look: Parameters<typeof open>[1] = {}): Promise<WatchedPage> {
    const watched = await open(`${system.url}/`, look);
    await watched.page.waitForSelector('body[data-state=live]');
    return watched;
  }
  const create = (amount: string, user_id = 'alice') =>
    system.post<{ id: string }>('/orders', { user_id, amount }, { prefer: 'wait=10' });

  before(async () => {
    await fund(system, 'alice');
    await create('1');
    await create('500');
  });

  it('moves while orders flow, and follows each to its end', async () => {
    const { page, complaints, strangers } = await openBoard();
    await eventually(async () => expect(await textOf(page, '#created')).to.equal('0'));
    const { body: paid } = await create('2.50');
    const { body: declined } = await create('500');
    await create('1', 'nobody');
    const row = (id: string) => `.order[data-id="${id}"]`;
    await page.waitForSelector(`${row(paid.id)}[data-status=FINISHED]`);
    await page.waitForSelector(`${row(declined.id)}[data-status=CANCELED]`);
    expect(await textOf(page, row(paid.id)))
      .to.contain('alice')
      .and.contain('2.50')
      .and.contain('step 6 of 6');
    expect(await textOf(page, `${row(declined.id)} .state`)).to.equal('CANCELED · insufficient funds');
    expect(await page.$$(`${row(paid.id)} i.done`)).to.have.length(6);
    await eventually(async () => {
      for (let step = 1; step <= 6; step += 1) {
        expect(Number(await textOf(page, `#step-${step} .rate b`)), `step ${step}`).to.be.greaterThan(0);
      }
    });
    expect(await textOf(page, '#median')).to.match(/^\d+ ms$|^\d\.\d s$/);
    // And back to rest, five seconds later.
    await eventually(async () => expect(await textOf(page, '#created')).to.equal('0'));
    expect(await textOf(page, '#waiting')).to.equal('0');
    expect(complaints).to.deep.equal([]);
    expect(strangers).to.deep.equal([]);
  });

  for (const scheme of ['light', 'dark'] as const) {
    it(`is accessible, and as wide as the window, in ${scheme}`, async () => {
      for (const width of [320, 390, 768, 1_280]) {
        const { page, complaints } = await openBoard({ width, scheme });
        await page.waitForSelector('.order');
        expect(await violationsOf(page), `at ${width}`).to.deep.equal([]);
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        expect(wide, `at ${width}`).to.equal(width);
        expect(complaints).to.deep.equal([]);
        await page.close();
      }
    }).timeout(60_000);
  }

  it('shares a row on a phone between a long name and the id: both can be told from others', async () => {
    const user = `long-name-${'x'.repeat(54)}`;
    const { body } = await create('1', user);
    const { page } = await openBoard({ width: 320 });
    const row = `.order[data-id="${body.id}"]`;
    await page.waitForSelector(row);
    const width = (part: string) =>
      page.$eval(`${row} ${part}`, (found) => found.getBoundingClientRect().width);
    expect(await width('.user')).to.be.greaterThan((await width('.who')) / 2);
    expect(await width('.id')).to.be.greaterThan(40);
    expect(await page.$eval(`${row} .user`, (found) => found.getAttribute('title'))).to.equal(user);
    await page.close();
  });

  it('has landmarks and headings, and says only what is news to who listens', async () => {
    const { page } = await openBoard();
    const roles = await page.$$eval('header, main, footer, h1, h2, [role=status]', (found) =>
      found.map(({ tagName, id }) => `${tagName}${id === '' ? '' : `#${id}`}`),
    );
    expect(roles).to.include.members(['HEADER', 'MAIN', 'FOOTER', 'H1', 'H2#now-title', 'H2#orders-title']);
    const live = await page.$$eval('[role=status], [role=alert], [aria-live]', (found) =>
      found.map(({ id }) => id),
    );
    expect(live).to.have.members(['status', 'blind', 'token-error']);
    expect(await textOf(page, '#status')).to.equal('Live');
  });

  it('is paused and resumed with the keyboard', async () => {
    const { page } = await openBoard();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).to.equal('pause');
    await page.keyboard.press('Enter');
    await page.waitForSelector('body[data-state=paused]');
    expect(await textOf(page, '#pause')).to.equal('Resume');
    const { body } = await create('1');
    await page.keyboard.press('Enter');
    await page.waitForSelector(`.order[data-id="${body.id}"]`);
    expect(await textOf(page, '#status')).to.equal('Live');
  });

  it('holds still for who wants less motion', async () => {
    const { page } = await openBoard({ motion: 'reduce' });
    const moving = await page.evaluate(
      "[...document.querySelectorAll('*')].flatMap((one) => [null, '::before'].map((part) => getComputedStyle(one, part))).filter((style) => style.animationName !== 'none' || style.transitionDuration !== '0s').length",
    );
    expect(moving).to.equal(0);
  });

  it('says which step it cannot see and since when, and sees again by itself', async () => {
    const { page, complaints } = await openBoard();
    const [payments] = system.runtime.payments;
    process.kill(payments?.pid ?? 0, 'SIGSTOP');
    try {
      await page.waitForSelector('#step-4.blind');
      expect(await textOf(page, '#blind')).to.match(
        /The payments service does not answer\. Not seen since \d\d:\d\d:\d\d\./,
      );
      expect(await textOf(page, '#step-4')).to.contain('not seen since');
      expect(await textOf(page, '#step-4 .rate b')).to.equal('–');
      expect(await page.$$('#step-1.blind')).to.deep.equal([]);
      // What waits for it is seen all the same.
      await system.post('/orders', { user_id: 'alice', amount: '1' });
      await eventually(async () =>
        expect(Number(await textOf(page, '#place-2 .depth'))).to.be.greaterThan(0),
      );
      expect(await violationsOf(page)).to.deep.equal([]);
    } finally {
      process.kill(payments?.pid ?? 0, 'SIGCONT');
    }
    await page.waitForFunction("document.querySelector('#blind').textContent === ''");
    await page.waitForSelector('#step-4:not(.blind)');
    expect(complaints).to.deep.equal([]);
  });

  it('is there again after the gateway was', async () => {
    const { page } = await openBoard();
    process.kill(system.runtime.gateway.pid, 'SIGKILL');
    await eventually(() => create('1'));
    const { body } = await create('1');
    await page.waitForSelector(`.order[data-id="${body.id}"]`);
    expect(await textOf(page, '#status')).to.equal('Live');
  });
});

describe('the board in a browser, where a token is needed', () => {
  const system = useSystem([], { TILLBOX_AUTH_SECRET: testSecret });
  const open = useBrowser();
  const token = (scope: string) => sign(claimsFor('ops', { scope }), testSecret);

  async function signIn(page: Page, text: string): Promise<void> {
    await page.type('#token', text);
    await page.keyboard.press('Enter');
  }

  it('asks for one without having asked the gateway, accessibly', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const { page, complaints } = await open(`${system.url}/`, { width: 390, scheme });
      await page.waitForSelector('#sign-in:not([hidden])');
      expect(await violationsOf(page)).to.deep.equal([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).to.equal(390);
      expect(complaints).to.deep.equal([]);
    }
  });

  it('refuses a user’s and a forged one, and says why', async () => {
    const { page } = await open(`${system.url}/`);
    await signIn(page, await token('user'));
    await page.waitForFunction("document.querySelector('#token-error').textContent.includes('operator')");
    expect(await page.evaluate('document.activeElement.id')).to.equal('token');
    await signIn(page, 'nonsense');
    await page.waitForFunction("document.querySelector('#token-error').textContent.includes('refused')");
    expect(await page.$eval('#board', (board) => board.hasAttribute('hidden'))).to.equal(true);
  });

  it('keeps an operator’s in the tab alone and out of every address, until it is signed out', async () => {
    const { page, strangers } = await open(`${system.url}/`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const secret = await token('operator');
    await signIn(page, secret);
    await page.waitForSelector('body[data-state=live]');
    await page.reload();
    await page.waitForSelector('body[data-state=live]');
    expect(asked.filter((url) => url.includes(secret.slice(0, 20)))).to.deep.equal([]);
    expect(asked.map((url) => new URL(url).search)).to.satisfy((all: string[]) =>
      all.every((one) => one === ''),
    );
    const stored = await page.evaluate('[document.cookie, localStorage.length, document.body.outerHTML]');
    expect(JSON.stringify(stored))
      .to.match(/^\["",0,/)
      .and.not.contain(secret.slice(0, 20));
    await page.click('#sign-out');
    await page.waitForSelector('#sign-in:not([hidden])');
    await page.reload();
    await page.waitForSelector('#sign-in:not([hidden])');
    expect(strangers).to.deep.equal([]);
  });
});
