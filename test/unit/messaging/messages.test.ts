import { Ajv } from 'ajv';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type CloudEvent,
  type Message,
  messageId,
  messageSchemas,
  queueOf,
  toCloudEvent,
} from '../../../src/messaging/messages.ts';
import { parseMessage } from '../../../src/messaging/parse-message.ts';
import { isUuid } from '../../../src/platform/field-schemas.ts';
import { amountMax, amountMin, formatAmount } from '../../../src/platform/money.ts';
import { messages } from '../../support/arbitraries.ts';

const orderId = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';
const requested: Message = { type: 'payment.requested.v1', orderId, userId: 'alice', amount: 4990n };
const failed: Message = { ...requested, type: 'payment.failed.v1', reason: 'INSUFFICIENT_FUNDS' };

/** As it comes out of a queue. */
function throughJson(event: unknown): unknown {
  return JSON.parse(JSON.stringify(event));
}

/** What a queue that carries it makes of a message; fields that are undefined left out. */
function parsed(message: unknown, type: Message['type'] = 'payment.requested.v1') {
  const result = parseMessage(queueOf[type], message);
  if (!result.ok) return result;
  const given = Object.entries(result.message).filter(([, value]) => value !== undefined);
  return { ok: true, message: Object.fromEntries(given) };
}

function withoutUndefined(message: Message): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== undefined));
}

describe('messages', () => {
  it('come out of a queue as they went in', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const read = parsed(throughJson(toCloudEvent(message)), message.type);
        expect(read).to.deep.equal({ ok: true, message: withoutUndefined(message) });
      }),
    );
  });

  it('have the CloudEvents form, and amounts as decimal strings', () => {
    expect(toCloudEvent(failed)).to.deep.equal({
      specversion: '1.0',
      id: messageId(orderId, 'payment.failed.v1'),
      source: '/tillbox/payments',
      type: 'payment.failed.v1',
      subject: orderId,
      data: { order_id: orderId, user_id: 'alice', amount: '49.90', reason: 'INSUFFICIENT_FUNDS' },
    });
  });

  it('carry no field that their published schema does not name', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const event = toCloudEvent(message);
        const { properties } = messageSchemas[message.type];
        expect(Object.keys(properties)).to.include.members(Object.keys(event));
        expect(Object.keys(properties.data.properties)).to.have.members(Object.keys(event.data));
      }),
    );
  });

  it('have an id that depends on order and type alone, a UUID, different for each', () => {
    fc.assert(
      fc.property(messages, messages, (one, other) => {
        const id = messageId(one.orderId, one.type);
        expect(isUuid(id)).to.equal(true);
        const same = one.orderId === other.orderId && one.type === other.type;
        expect(id === messageId(other.orderId, other.type)).to.equal(same);
      }),
    );
  });

  it('keep their ids for ever: what lies in a queue today is recognised by every later version', () => {
    expect(messageId(orderId, 'payment.requested.v1')).to.equal('0199f0a4-5f6b-7c3e-9d2a-393f66e3ca94');
    expect(messageId(orderId, 'payment.succeeded.v1')).to.equal('0199f0a4-5f6b-7c3e-9d2a-75ddc7f48bba');
    expect(messageId(orderId, 'payment.failed.v1')).to.equal('0199f0a4-5f6b-7c3e-9d2a-fb7802374c3b');
  });

  it('are read with fields nobody knows, which are ignored', () => {
    const event = toCloudEvent(requested);
    const later = {
      ...event,
      time: '2026-01-31T12:00:00.000Z',
      datacontenttype: 'application/json',
      priority: { high: true },
      data: { ...event.data, currency: 'EUR', reason: 'ACCOUNT_NOT_FOUND' },
    };
    expect(parsed(later)).to.deep.include({ ok: true });
  });

  it('are the same order whether its id is written in upper or lower case', () => {
    const { id, subject, data, ...event } = toCloudEvent(requested);
    const upper = {
      ...event,
      id: id.toUpperCase(),
      subject: subject.toUpperCase(),
      data: { ...data, order_id: data.order_id.toUpperCase() },
    };
    expect(parsed(upper)).to.deep.equal({ ok: true, message: requested });
  });

  it('of an unknown type or version, or of another queue, are refused as unknown-type', () => {
    const event = toCloudEvent(requested);
    const types = [
      'payment.requested.v2',
      'payment.requested',
      'toString',
      '__proto__',
      '',
      'payment.failed.v1',
    ];
    for (const type of [...types, null, 5, ['payment.requested.v1'], undefined]) {
      expect(parsed({ ...event, type }), String(type)).to.include({ ok: false, reason: 'unknown-type' });
    }
    const { type: _none, ...untyped } = event;
    expect(parsed(untyped)).to.have.property('detail', 'the message has no type');
    for (const value of [null, undefined, 5, 'payment.requested.v1', true, [], [event], {}]) {
      expect(parsed(value)).to.include({ ok: false, reason: 'unknown-type' });
    }
  });

  it('that break any rule are refused as invalid-message, with where', () => {
    const event = toCloudEvent(requested);
    const other = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d66';
    const data = (change: object) => ({ ...event, data: { ...event.data, ...change } });
    const broken: object[] = [
      ...(['specversion', 'id', 'source', 'subject', 'data'] as const).map((field) => {
        const { [field]: _left, ...rest } = event;
        return rest;
      }),
      { ...event, specversion: '0.3' },
      { ...event, id: 'x' },
      { ...event, id: other },
      { ...event, id: orderId },
      { ...event, source: 5 },
      { ...event, source: '' },
      { ...event, subject: other },
      { ...event, time: 5 },
      { ...event, traceparent: '00-x' },
      { ...event, data: null },
      { ...event, data: [] },
      { ...event, data: JSON.stringify(event.data) },
      data({ order_id: undefined }),
      data({ order_id: other }),
      data({ order_id: 5 }),
      data({ user_id: undefined }),
      data({ user_id: '' }),
      data({ user_id: 'a b' }),
      data({ user_id: 'a\n' }),
      data({ user_id: 'a'.repeat(65) }),
      data({ amount: undefined }),
      data({ amount: 49.9 }),
      data({ amount: '49.9' }),
      data({ amount: '0.00' }),
      data({ amount: '-1.00' }),
      data({ amount: '1e3' }),
      data({ amount: '1000000000.01' }),
    ];
    for (const value of broken) {
      const result = parsed(throughJson(value));
      expect(result, JSON.stringify(value)).to.include({ ok: false, reason: 'invalid-message' });
      expect(result).to.have.property('detail').that.matches(/\//);
    }
  });

  it('have no amount that their published schema takes and the receiver does not, or the other way round', () => {
    const isRequested = new Ajv({ strict: false }).compile(messageSchemas['payment.requested.v1']);
    const event = toCloudEvent(requested);
    const agree = (amount: string) => {
      const value = throughJson({ ...event, data: { ...event.data, amount } });
      const result = parsed(value);
      expect(isRequested(value), amount).to.equal(result.ok);
      return result;
    };
    for (const amount of ['-10.00', '-0.01', '0.00', '00.01', '007.00', '1000000000.01', '2000000000.00']) {
      expect(agree(amount)).to.deep.equal({
        ok: false,
        reason: 'invalid-message',
        detail: '/data/amount must be a decimal string with two decimals from 0.01 to 1000000000.00',
      });
    }
    for (const amount of ['0.01', '0.10', '0.99', '1.00', '10.00', '999999999.99', '1000000000.00']) {
      expect(agree(amount), amount).to.include({ ok: true });
    }
    fc.assert(
      fc.property(fc.bigInt({ min: -amountMax * 11n, max: amountMax * 11n }), (minorUnits) => {
        expect(agree(formatAmount(minorUnits)).ok).to.equal(
          minorUnits >= amountMin && minorUnits <= amountMax,
        );
      }),
    );
  });

  it('that say a payment failed must say why, in words we know', () => {
    const event = toCloudEvent(failed) as CloudEvent;
    for (const reason of [undefined, null, '', 'BECAUSE', 5]) {
      const value = throughJson({ ...event, data: { ...event.data, reason } });
      expect(parsed(value, 'payment.failed.v1')).to.include({ ok: false, reason: 'invalid-message' });
    }
  });

  it('never throws, whatever a queue holds', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
        expect(parseMessage('payment-requests', value).ok).to.equal(false);
      }),
    );
    const event = toCloudEvent(requested);
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(event)), fc.jsonValue(), (field, value) => {
        parseMessage('payment-requests', { ...event, [field]: value });
        parseMessage('payment-requests', { ...event, data: { ...event.data, [field]: value } });
      }),
    );
  });
});
