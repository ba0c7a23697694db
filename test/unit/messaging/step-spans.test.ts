import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import type { Publication } from '../../../src/messaging/broker/broker.ts';
import { toCloudEvent } from '../../../src/messaging/messages.ts';
import { decideStep, queueStep, StepSpans } from '../../../src/messaging/step-spans.ts';
import { handleTraced } from '../../../src/messaging/traced-deliveries.ts';
import { tracedPublishing } from '../../../src/messaging/traced-publishing.ts';
import { recordSpans } from '../../support/recorded-spans.ts';

const traceparentOf = (digit: string, flags = '01') => `00-${digit.repeat(32)}-${digit.repeat(16)}-${flags}`;
const traceIdOf = (digit: string) => digit.repeat(32);

function request(traceparent?: string) {
  return toCloudEvent({
    type: 'payment.requested.v1',
    orderId: uuidV7(),
    userId: 'anna',
    amount: 1n,
    traceparent,
  });
}

describe('messaging: spans of steps', () => {
  it('are one in the trace of each order, and one that joins them with a link to each', () => {
    const { spans, ended } = recordSpans();
    const step = new StepSpans(spans, decideStep, [traceparentOf('1'), traceparentOf('2')]);
    step.end((index) => ({ 'tillbox.order.id': `order-${index}` }));
    const [one, two, joining] = ended;
    expect(ended.map(({ name }) => name)).to.deep.equal([
      'decide payment',
      'decide payment',
      'decide payment batch',
    ]);
    expect([one, two].map((span) => span?.spanContext().traceId)).to.deep.equal([
      traceIdOf('1'),
      traceIdOf('2'),
    ]);
    expect(one?.attributes).to.deep.equal({ 'tillbox.order.id': 'order-0', 'tillbox.batch.size': 2 });
    expect(joining?.links.map(({ context }) => context)).to.deep.equal([
      one?.spanContext(),
      two?.spanContext(),
    ]);
    expect(joining?.attributes).to.deep.equal({ 'tillbox.batch.size': 2 });
    expect(new Set(ended.map(({ endTime }) => String(endTime))).size).to.equal(1);
  });

  it('join nothing when an order is alone, or alone in being recorded', () => {
    const { spans, ended } = recordSpans();
    new StepSpans(spans, decideStep, [traceparentOf('1')]).end(() => ({}));
    new StepSpans(spans, decideStep, [traceparentOf('2'), traceparentOf('3', '00')]).end(() => ({}));
    expect(ended.map((span) => span.spanContext().traceId)).to.deep.equal([traceIdOf('1'), traceIdOf('2')]);
    expect(ended.map(({ attributes }) => attributes['tillbox.batch.size'])).to.deep.equal([undefined, 2]);
  });

  it('of a failed batch lead to what each order came with, as those of its own are never recorded', () => {
    const { spans, ended } = recordSpans();
    const step = new StepSpans(spans, decideStep, [traceparentOf('1'), traceparentOf('2'), undefined]);
    step.fail(new Error('away'));
    expect(ended.map(({ links }) => links.map(({ context }) => context))).to.deep.equal([
      ['1', '2'].map((digit) => ({ traceId: traceIdOf(digit), spanId: digit.repeat(16), traceFlags: 1 })),
    ]);
  });

  it('of a failed batch are the one that joins it, of an order alone its own', () => {
    const { spans, ended } = recordSpans();
    const error = Object.assign(new Error(), { code: '57P01' });
    new StepSpans(spans, queueStep('publish', 'payment-requests'), [
      traceparentOf('1'),
      traceparentOf('2'),
    ]).fail(error);
    new StepSpans(spans, queueStep('publish', 'payment-requests'), [traceparentOf('3')]).fail(error);
    expect(ended.map(({ name, kind, status }) => ({ name, kind, ...status }))).to.deep.equal([
      { name: 'publish payment-requests batch', kind: 2, code: 2, message: '57P01' },
      { name: 'publish payment-requests', kind: 3, code: 2, message: '57P01' },
    ]);
  });
});

describe('messaging: traced publishing', () => {
  const job = (messages: unknown[], queue = 'payment-requests'): Publication => ({
    queue,
    data: { messages },
  });

  it('tells each message the span it goes on from, and leaves garbage as it is', async () => {
    const { spans, ended } = recordSpans();
    const published: Publication[] = [];
    const broker = tracedPublishing({ publish: async (jobs) => void published.push(...jobs) }, spans);
    const [known, other, unknown] = [request(traceparentOf('1')), request(traceparentOf('2')), request()];
    await broker.publish([job([known, 5, null, { subject: 'no order' }]), job([other, unknown])]);
    const [first, second, batch] = ended;
    const messages = published.flatMap(({ data }) => data.messages);
    expect(messages.slice(1, 4)).to.deep.equal([5, null, { subject: 'no order' }]);
    const told = (span = first) => `00-${span?.spanContext().traceId}-${span?.spanContext().spanId}-01`;
    expect(messages[0]).to.include({ id: known.id, traceparent: told(first) });
    expect(messages[4]).to.include({ id: other.id, traceparent: told(second) });
    expect(messages[5]).to.equal(unknown).and.not.have.property('traceparent');
    expect(first?.parentSpanContext).to.include({ traceId: traceIdOf('1') });
    expect(second?.attributes['tillbox.order.id']).to.equal(other.subject);
    expect(batch?.links).to.have.length(2);
    expect(batch?.attributes['messaging.batch.message_count']).to.equal(2);
  });

  it('goes on from what the messages came with when they are published again after a failure', async () => {
    const { spans, ended } = recordSpans();
    let fails = true;
    const broker = tracedPublishing(
      {
        publish: async () => {
          if (fails) throw new Error('cannot be stored');
        },
      },
      spans,
    );
    const jobs = [job([request(traceparentOf('1')), request(traceparentOf('2')), request()])];
    await broker.publish(jobs).catch(() => {});
    const told = jobs.flatMap(({ data }) => data.messages as { traceparent?: string }[]);
    const headers = told.map(({ traceparent }) => traceparent);
    expect(headers).to.deep.equal([traceparentOf('1'), traceparentOf('2'), undefined]);
    fails = false;
    await broker.publish(jobs);
    const [failed, one, other] = ended;
    const parents = [one, other].map((span) => span?.parentSpanContext?.spanId);
    expect(parents).to.deep.equal(['1', '2'].map((digit) => digit.repeat(16)));
    expect(failed?.links.map(({ context }) => context.spanId)).to.deep.equal(parents);
  });

  it('records what failed, and lets the failure through', async () => {
    const { spans, ended } = recordSpans();
    const failure = Object.assign(new Error(), { code: 'ECONNRESET' });
    const broker = tracedPublishing({ publish: () => Promise.reject(failure) }, spans);
    const [one, two] = [request(traceparentOf('1')), request(traceparentOf('2'))];
    const publishing = broker.publish([job([one]), job([two], 'payment-results')]);
    const thrown: unknown = await publishing.catch((error: unknown) => error);
    expect(thrown).to.equal(failure);
    expect(ended.map(({ name, status }) => [name, status.message])).to.deep.equal([
      ['publish payment-requests', 'ECONNRESET'],
      ['publish payment-results', 'ECONNRESET'],
    ]);
  });
});

describe('messaging: traced deliveries', () => {
  const step = queueStep('settle', 'payment-results');
  const delivery = (message: unknown) => ({ message, jobId: 'job' });

  it('hands over messages that tell their new span, and says of each what became of it', async () => {
    const { spans, ended } = recordSpans();
    const [good, refused] = [request(traceparentOf('1')), request(traceparentOf('2'))];
    const given = [delivery(good), delivery('garbage'), delivery(refused), delivery(good)];
    const letter = { reason: 'unknown-order', detail: '', queue: 'payment-results', jobId: 'job' } as const;
    let handled: unknown[] = [];
    const asked: unknown[] = [];
    await handleTraced(
      { spans, step },
      given,
      async (deliveries) => {
        handled = deliveries.map(({ message }) => message);
        return { duplicates: 1, deadLetters: [{ ...letter, message: refused }] };
      },
      (_result, orderId, isCopy) => {
        asked.push([orderId, isCopy]);
        return isCopy;
      },
    );
    const orders = ended.slice(0, 3);
    expect(handled[1]).to.equal('garbage');
    expect(handled[0]).to.deep.equal({
      ...good,
      traceparent: `00-${traceIdOf('1')}-${orders[0]?.spanContext().spanId}-01`,
    });
    expect(good.traceparent).to.equal(traceparentOf('1'));
    const outcomes = orders.map(({ attributes }) => [
      attributes['tillbox.order.id'],
      attributes['tillbox.dead_letter'],
      attributes['tillbox.duplicate'],
    ]);
    expect(asked).to.deep.equal([
      [good.subject, false],
      [good.subject, true],
    ]);
    expect(outcomes).to.deep.equal([
      [good.subject, undefined, undefined],
      [refused.subject, 'unknown-order', undefined],
      [good.subject, undefined, true],
    ]);
    expect(ended[3]?.name).to.equal('settle payment-results batch');
  });
});
