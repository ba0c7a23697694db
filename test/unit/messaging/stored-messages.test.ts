import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { JobData } from '../../../src/messaging/broker/broker.ts';
import {
  type MessageType,
  messageSchemas,
  type Queue,
  toCloudEvent,
} from '../../../src/messaging/messages.ts';
import { parseMessage } from '../../../src/messaging/parse-message.ts';

/**
 * Jobs as version 0.1.0 stored them. They lie in the queues, outboxes and backups of those who use it: add
 * files for new types and forms, never change one that is there.
 */
const folder = new URL('fixtures/', import.meta.url);
const stored = readdirSync(folder).map((file) => ({
  type: file.replace('.json', ''),
  ...(JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { queue: Queue; data: JobData }),
}));

describe("yesterday's messages", () => {
  it('are kept of every type there is', () => {
    expect(stored.map(({ type }) => type)).to.include.members(Object.keys(messageSchemas));
  });

  for (const { type, queue, data } of stored) {
    it(`of type ${type} still parse, and are written today as they were then`, () => {
      for (const message of data.messages) {
        const read = parseMessage(queue, message);
        if (!read.ok) expect.fail(`${read.reason}: ${read.detail}`);
        const { time, ...written } = message as { time: string };
        expect(time).to.be.a('string');
        expect(toCloudEvent(read.message)).to.deep.equal(written);
      }
    });

    it(`of type ${type} still parse with fields of a later version`, () => {
      for (const message of data.messages as { data: object }[]) {
        const later = { ...message, later: 1, data: { ...message.data, later: { of: 'a later version' } } };
        expect(parseMessage(queue, later)).to.deep.equal(parseMessage(queue, message));
      }
    });
  }

  it('say of each field today what they said then', () => {
    const failed = stored.find(({ type }) => type === ('payment.failed.v1' satisfies MessageType));
    expect(parseMessage('payment-results', failed?.data.messages[1])).to.deep.equal({
      ok: true,
      message: {
        type: 'payment.failed.v1',
        orderId: '01a21348-0731-7ccb-a2d5-6f0c2b9be1aa',
        userId: 'carol',
        amount: 4990n,
        reason: 'ACCOUNT_NOT_FOUND',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      },
    });
  });
});
