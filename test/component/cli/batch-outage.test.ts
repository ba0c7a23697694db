import { expect } from 'chai';
import { BatchConnections } from '../../../src/cli/batch/connections.ts';
import { GatewayPresence } from '../../../src/cli/batch/gateway-presence.ts';
import { BatchSender } from '../../../src/cli/batch/sender.ts';
import { Gateway } from '../../../src/cli/gateway/gateway.ts';
import type { CodedError } from '../../../src/platform/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { type Answer, cut, type FakeGateway, json, orderView, startFakeGatewayAt } from './fake-gateway.ts';

describe('a batch whose gateway goes away in the middle', () => {
  let gateway: FakeGateway;
  let connections: BatchConnections;
  let presence: GatewayPresence;
  const told: string[] = [];

  /** A sender that waits for a moment instead of half a minute. */
  async function sender(answer: Answer, waitSeconds?: number): Promise<BatchSender> {
    gateway = await startFakeGatewayAt(0, [answer]);
    const access = { url: gateway.url };
    connections = new BatchConnections(access, { inFlight: 4, holdsBack: waitSeconds !== undefined });
    told.length = 0;
    presence = new GatewayPresence(new Gateway(access, async () => false), {
      onAway: ({ code }) => told.push(code),
      onBack: () => told.push('back'),
    });
    return new BatchSender(connections, {
      waitSeconds,
      stopped: new AbortController().signal,
      presence,
      retryMs: 150,
    });
  }

  afterEach(async () => {
    presence.close();
    await connections.close();
    await gateway.stop();
  });

  const write = { path: '/orders', body: '{}', idempotencyKey: 'k' };
  const codeOf = async (sent: Promise<unknown>) =>
    sent.then(
      () => 'sent',
      (error) => (error as CodedError).code,
    );

  it('waits once for all lines, sends none of the others, and goes on when it is back', async () => {
    const sending = await sender(json(201, orderView()));
    expect(await codeOf(sending.send(write))).to.equal('sent');
    await gateway.stop();
    const first = await Promise.all([1, 2, 3].map(() => codeOf(sending.send(write))));
    expect(first).to.deep.equal(['unavailable', 'unavailable', 'unavailable']);
    expect(told).to.deep.equal(['unavailable']);
    const refused = await sending.send(write).catch((error: CodedError) => error.message);
    expect(refused).to.contain('Nothing was sent');
    gateway = await startFakeGatewayAt(Number(new URL(gateway.url).port), [json(201, orderView())]);
    await eventually(async () => expect(await codeOf(sending.send(write))).to.equal('sent'));
    expect(told).to.deep.equal(['unavailable', 'back']);
  });

  it('says of lines that were sent that their outcome is not known', async () => {
    const sending = await sender((response, request, requests) =>
      (request.method === 'GET' ? json(200, {}) : cut)(response, request, requests),
    );
    expect(await codeOf(sending.send(write))).to.equal('outcome-unknown');
  });

  it('keeps an order that was accepted and not heard of again: it is late, and no failure', async () => {
    let posts = 0;
    const sending = await sender((...parts) => {
      if (parts[1].method === 'GET') return json(200, {})(...parts);
      posts += 1;
      return (posts === 1 ? json(201, orderView()) : cut)(...parts);
    }, 20);
    expect(await sending.send(write)).to.deep.equal({ document: orderView(), isLate: true });
  });
});
