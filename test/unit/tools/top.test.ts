import { expect } from 'chai';
import { CommonClock } from '../../../src/tools/common-clock.ts';
import { percentile, StepLatencies } from '../../../src/tools/top/step-latencies.ts';
import type { Health } from '../../../src/tools/top/top-document.ts';
import {
  databaseEvents,
  healthEvents,
  lifeEvents,
  queueEvents,
  sweepEvents,
} from '../../../src/tools/top/top-events.ts';

const clock = new CommonClock({});
const moments = (begin: number, step: number) => ({
  createdAt: begin,
  requestPublishedAt: begin + step,
  receivedAt: begin + 2 * step,
  decidedAt: begin + 3 * step,
  resultPublishedAt: begin + 4 * step,
  settledAt: begin + 5 * step,
});

describe('latencies by step', () => {
  it('are percentiles of what was settled in the last ten seconds', () => {
    const latencies = new StepLatencies();
    latencies.add([moments(0, 1_000)], clock, 0);
    latencies.add(
      Array.from({ length: 100 }, (_, index) => moments(5_000, index + 1)),
      clock,
      11_000,
    );
    const summary = latencies.summary();
    expect(summary.map(({ step, number }) => [step, number])).to.deep.equal([
      ['published', 2],
      ['received', 3],
      ['decided', 4],
      ['published', 5],
      ['settled', 6],
      ['order', null],
    ]);
    for (const step of summary.slice(0, 5)) {
      expect(step).to.deep.include({ p50: 50, p95: 95, p99: 99, orders: 100 });
    }
    expect(summary[5]).to.deep.include({ p50: 250, p95: 475, p99: 495 });
  });

  it('leave out what is not known, and are null when nothing is', () => {
    const latencies = new StepLatencies();
    expect(latencies.summary()[0]).to.deep.include({ p50: null, p95: null, p99: null, orders: 0 });
    latencies.add([{ createdAt: 1, settledAt: 4 }], clock, 0);
    expect(latencies.summary().map(({ orders }) => orders)).to.deep.equal([0, 0, 0, 0, 0, 1]);
  });

  it('have a value of their own as percentile, whatever their number', () => {
    expect(percentile([], 0.99)).to.equal(null);
    expect(percentile([7], 0.5)).to.equal(7);
    expect(percentile([1, 2], 0.5)).to.equal(1);
    expect(percentile([1, 2], 0.99)).to.equal(2);
  });
});

describe('events', () => {
  const now = new Date('2026-01-31T12:00:00Z');
  const health = (gateway: boolean, orders: boolean[], payments: boolean[]): Health => ({
    gateway: { url: 'http://127.0.0.1:7420', ready: gateway },
    orders: orders.map((ready) => ({ pid: 1, ready })),
    payments: payments.map((ready) => ({ pid: 2, ready })),
  });

  it('tell a daemon that went away and one that came back, not what stays as it is', () => {
    const all = health(true, [true], [true, true]);
    expect(healthEvents(null, all, now)).to.deep.equal([]);
    expect(healthEvents(all, all, now)).to.deep.equal([]);
    const fewer = healthEvents(all, health(true, [false], [true, false]), now);
    expect(fewer.map(({ event, detail }) => [event, detail])).to.deep.equal([
      ['daemon-away', 'orders does not answer, or is not ready'],
      ['daemon-away', '1 of 2 payments are ready'],
    ]);
    const back = healthEvents(health(false, [false], []), health(true, [true], [true]), now);
    expect(back.map(({ detail }) => detail)).to.deep.equal([
      'gateway is ready',
      'orders is ready',
      'payments is ready',
    ]);
  });

  it('tell a database that went away, why, and when it is back', () => {
    const away = [{ database: 'broker' as const, message: 'connection refused' }];
    expect(databaseEvents([], away, now)[0]).to.include({
      event: 'database-away',
      detail: 'the broker database is away: connection refused',
    });
    expect(databaseEvents(away, away, now)).to.deep.equal([]);
    expect(databaseEvents(away, [], now)[0]).to.include({ event: 'database-back' });
  });

  it('tell what the queues, the sweep and the registry say', () => {
    const at = now.getTime();
    const told = [
      ...queueEvents([
        { event: 'dead-letter', queue: 'payment-requests', detail: 'unknown-type', count: 3, at },
        { event: 'redriven', queue: 'payment-requests', detail: '', count: 1, at },
        { event: 'retry', queue: 'payment-results', detail: 'disk full', count: 2, at },
      ]),
      ...sweepEvents({ count: 12, at }),
      ...sweepEvents({ count: 0, at: null }),
      ...lifeEvents(
        [{ id: 'x', service: 'payments', pid: 7, started_at: at - 5_000, stopped_at: at }],
        at - 1_000,
        at,
      ),
    ];
    expect(told.map(({ detail }) => detail)).to.deep.equal([
      '3 messages of payment-requests refused: unknown-type',
      'a dead letter redriven to payment-requests',
      '2 jobs of payment-results failed and will be tried again: disk full',
      'the sweep requested the payment of 12 orders again',
      'payments stopped, process 7',
    ]);
  });
});
