import { expect } from 'chai';
import { plainPaint } from '../../../src/cli/terminal/paint.ts';
import { drawTop, type TopState } from '../../../src/cli/terminal/top-screen.ts';
import type { QueueView } from '../../../src/tools/queues.ts';

const queue = (name: string, kind: QueueView['kind'], depth: number): QueueView => ({
  name,
  kind,
  depth,
  estimated: depth > 1_000,
  oldest_s: depth === 0 ? null : 12,
  in_flight: kind === 'queue' ? 3 : null,
  retrying_jobs: kind === 'queue' ? 0 : null,
  in_per_s: kind === 'queue' ? 2999.8 : null,
  out_per_s: kind === 'queue' ? 3000.2 : null,
});

const latency = (
  step: 'published' | 'received' | 'decided' | 'settled' | 'order',
  number: number | null,
) => ({
  step,
  number,
  p50: 1.23,
  p95: 45.6,
  p99: 12_345.6,
  orders: 2_000,
});

function state(changes: Partial<TopState['document']> = {}): TopState {
  const events = Array.from({ length: 40 }, (_, index) => ({
    at: '2026-01-31T12:00:00.000Z',
    event: 'dead-letter' as const,
    detail: `event ${index}: \u001b[2J and a text that is longer than a narrow terminal has room for`,
  }));
  return {
    events,
    history: Array.from({ length: 300 }, (_, index) => (index % 7 === 0 ? null : index)),
    document: {
      at: '2026-01-31T12:00:00.000Z',
      rates: { created_per_s: 3000.1, received_per_s: 2990, decided_per_s: 2980.4, settled_per_s: 2970 },
      latencies_ms: [
        latency('published', 2),
        latency('received', 3),
        latency('decided', 4),
        latency('published', 5),
        latency('settled', 6),
        latency('order', null),
      ],
      queues: [
        queue('orders-outbox', 'outbox', 1_234_567),
        queue('payment-requests', 'queue', 0),
        queue('payments-inbox', 'inbox', 5),
        queue('payments-outbox', 'outbox', 0),
        queue('payment-results', 'queue', 1),
        queue('payment-requests-dead-letters', 'dead-letters', 2),
        queue('payment-results-dead-letters', 'dead-letters', 0),
      ],
      dead_letters: 2,
      health: {
        gateway: { url: 'http://127.0.0.1:7420', ready: true },
        orders: [{ pid: 1, ready: true }],
        payments: [
          { pid: 2, ready: true },
          { pid: 3, ready: false },
        ],
      },
      events: [],
      notes: [],
      away: [],
      ...changes,
    },
  };
}

describe('the screen of top', () => {
  for (const [columns, rows] of [
    [80, 24],
    [40, 24],
    [200, 60],
    [80, 10],
    [1, 1],
  ] as const) {
    it(`fits ${columns} columns and ${rows} rows, and fills no more`, () => {
      const lines = drawTop(state(), { columns, rows }, plainPaint);
      expect(lines.length).to.be.at.most(rows);
      for (const line of lines) {
        expect(line.length).to.be.at.most(columns);
        expect(line).to.not.match(/[\u0000-\u001f]/);
      }
      if (rows === 24) expect(lines).to.have.length(rows);
    });
  }

  it('has everything on it at 80 by 24', () => {
    const text = drawTop(state(), { columns: 80, rows: 24 }, plainPaint).join('\n');
    for (const words of [
      'q to quit',
      'gateway ready  orders 1 of 1 ready  payments 1 of 2 ready',
      'created 3000.1  received 2990  decided 2980.4  settled 2970',
      '2 dead letters: tillbox dead-letters list',
      'event 39',
    ]) {
      expect(text).to.contain(words);
    }
    expect(text).to.match(/6 settled +1\.2 +45\.6 +12345\.6 +2000/);
    expect(text).to.match(/orders-outbox +~1234567 +12 s/);
    expect(text).to.match(/whole order/);
  });

  it('keeps steps, depths and ages at 40 columns', () => {
    const text = drawTop(state(), { columns: 40, rows: 24 }, plainPaint).join('\n');
    expect(text).to.match(/^6 settled +1\.2 +12345\.6$/m);
    expect(text).to.match(/^payment-requests +0 +-$/m);
  });

  it('draws what was settled as bars where there is room', () => {
    expect(drawTop(state(), { columns: 200, rows: 24 }, plainPaint)[2]).to.match(/(?:[▁▂▃▄▅▆▇█]{6} ){3}/);
  });

  it('says what is away and what is not known', () => {
    const away = [{ database: 'broker' as const, message: 'connection refused' }];
    const rates = { created_per_s: 5, received_per_s: null, decided_per_s: null, settled_per_s: null };
    const unknown = state({ away, rates, dead_letters: null, health: null, queues: [] });
    const text = drawTop(unknown, { columns: 80, rows: 24 }, plainPaint).join('\n');
    expect(text).to.contain('the broker database is away: connection refused');
    expect(text).to.contain('created 5  received -');
    expect(text).to.contain('gateway ?');
    expect(text).to.not.contain('dead letters:');
  });
});
