import { expect } from 'chai';
import type { Clock } from '../../../src/tools/common-clock.ts';
import { assembleTrace } from '../../../src/tools/trace/assemble-trace.ts';
import type { StepName, TraceDocument } from '../../../src/tools/trace/trace-document.ts';
import type {
  BrokerSide,
  Facts,
  JobFacts,
  LetterFacts,
  OrderFacts,
  PaymentsSide,
} from '../../../src/tools/trace/trace-facts.ts';

const orderId = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';
const begin = Date.parse('2026-01-31T12:00:00.000Z');
const clock = (aheadMs = 0): Clock => ({ aheadMs, uncertaintyMs: 0.2, now: begin + 60_000 + aheadMs });
const clocks = { orders: clock(), payments: clock(), broker: clock() };

function order(changes: Partial<OrderFacts> = {}): OrderFacts {
  return {
    userId: 'alice',
    amount: 4990n,
    status: 'NEW',
    reason: null,
    createdAt: begin,
    settledAt: null,
    requestedAt: begin,
    requestCount: 1,
    ...changes,
  };
}
const settled = (changes: Partial<OrderFacts> = {}) =>
  order({ status: 'FINISHED', settledAt: begin + 20, ...changes });

function job(id: string, queue: JobFacts['queue'], at: number, changes: Partial<JobFacts> = {}): JobFacts {
  return {
    id,
    queue,
    state: 'completed',
    batch: 3,
    copies: 1,
    retries: 0,
    createdAt: begin + at,
    startAfter: begin + at,
    startedAt: begin + at + 1,
    completedAt: begin + at + 4,
    error: null,
    ...changes,
  };
}
const request = (changes: Partial<JobFacts> = {}) => job('request', 'payment-requests', 5, changes);
const result = (changes: Partial<JobFacts> = {}) => job('result', 'payment-results', 15, changes);

function letter(changes: Partial<LetterFacts> = {}): LetterFacts {
  return {
    id: 'letter',
    queue: 'payment-requests',
    reason: 'invalid-message',
    detail: '/data/amount is out of range',
    jobId: 'request',
    at: begin + 8,
    handling: null,
    ...changes,
  };
}

const inbox = {
  jobId: 'request',
  deliveries: 1,
  receivedAt: begin + 8,
  processedAt: begin + 10,
  ahead: 0,
  holder: null,
};
const decision = {
  outcome: 'paid' as const,
  reason: null,
  decidedAt: begin + 10,
  entry: { seq: 2n, balance: 5010n },
};
const payments = (changes: Partial<PaymentsSide> = {}): PaymentsSide => ({
  inbox: null,
  decision: null,
  accountHolder: null,
  outbox: null,
  waits: [],
  ...changes,
});
const running = (service: 'orders' | 'payments') => ({
  service,
  pid: 7,
  host: 'here',
  startedAt: begin,
  heardAt: begin,
  silent: false,
  stoppedAt: null,
});
const broker = (changes: Partial<BrokerSide> = {}): BrokerSide => ({
  requests: [],
  results: [],
  letters: [],
  more: false,
  instances: [running('orders'), running('payments')],
  sessions: { orders: 4, payments: 4 },
  ...changes,
});

function trace(changes: Partial<Facts>): TraceDocument {
  const facts: Facts = {
    orderId,
    orders: { order: order(), outbox: null, waits: [] },
    payments: payments(),
    broker: broker(),
    clocks,
    away: [],
    queues: [],
    ...changes,
  };
  return assembleTrace(facts, new Date(begin + 60_000));
}
const ordersWith = (found: OrderFacts) => ({ order: found, outbox: null, waits: [] });

/** Steps as `number step ms`, others as `step ms`. */
const told = ({ steps }: TraceDocument) =>
  steps.map(({ number, step, ms }) => [number, step, ms].filter((part) => part !== null).join(' '));
const names = ({ steps }: TraceDocument): StepName[] => steps.map(({ step }) => step);
const reasons = ({ standing }: TraceDocument) => standing?.reasons.map(({ reason }) => reason);

const whole: Partial<Facts> = {
  orders: ordersWith(settled()),
  payments: payments({ inbox, decision }),
  broker: broker({ requests: [request()], results: [result()] }),
};

describe('a trace', () => {
  it('has the six steps with the milliseconds since the one before, and nothing else on a plain way', () => {
    const document = trace(whole);
    expect(told(document)).to.deep.equal([
      '1 created',
      '2 published 5',
      '3 received 3',
      '4 decided 2',
      '5 published 5',
      '6 settled 5',
    ]);
    expect(document).to.deep.include({ final: true, total_ms: 20, duplicates: 0, standing: null, notes: [] });
    expect(document.steps.map(({ service }) => service)).to.deep.equal([
      'orders',
      'orders',
      'payments',
      'payments',
      'payments',
      'orders',
    ]);
    expect(document.steps[1]).to.deep.include({ job_id: 'request', batch: 3, queue: 'payment-requests' });
    expect(document.steps[3]?.detail).to.equal('paid by entry 2, balance 50.10');
  });

  it('tells a declined order with its reason', () => {
    const document = trace({
      ...whole,
      orders: ordersWith(settled({ status: 'CANCELED', reason: 'INSUFFICIENT_FUNDS' })),
      payments: payments({
        inbox,
        decision: { outcome: 'failed', reason: 'INSUFFICIENT_FUNDS', decidedAt: begin + 10, entry: null },
      }),
    });
    expect(document.steps[3]?.detail).to.equal('declined: INSUFFICIENT_FUNDS');
    expect(document.steps[5]?.detail).to.equal('CANCELED (INSUFFICIENT_FUNDS)');
  });

  it('tells every delivery and each duplicate that was suppressed', () => {
    const document = trace({
      orders: ordersWith(settled()),
      payments: payments({ inbox: { ...inbox, deliveries: 3 }, decision }),
      broker: broker({
        requests: [request({ copies: 2 }), job('again', 'payment-requests', 30)],
        results: [result(), job('result-again', 'payment-results', 40)],
      }),
    });
    expect(told(document)).to.deep.equal([
      '1 created',
      '2 published 5',
      '3 received 3',
      'duplicate 1',
      '4 decided 2',
      '5 published 5',
      '6 settled 5',
      'published-again 10',
      'duplicate 14',
      'published-again 20',
      'duplicate 24',
    ]);
    expect(document.duplicates).to.equal(3);
  });

  it('counts duplicates whose jobs are gone', () => {
    const document = trace({
      ...whole,
      payments: payments({ inbox: { ...inbox, deliveries: 4 }, decision }),
    });
    expect(document.duplicates).to.equal(3);
    expect(document.steps.at(-1)).to.include({
      step: 'duplicate',
      at: null,
      detail: '3 more suppressed by the inbox, when is no longer recorded',
    });
  });

  it('says of steps that are no longer recorded that they are not, and measures from the last known', () => {
    const document = trace({
      orders: ordersWith(settled()),
      payments: payments({ decision }),
      broker: broker(),
    });
    expect(told(document)).to.deep.equal([
      '1 created',
      '2 published',
      '3 received',
      '4 decided 10',
      '5 published',
      '6 settled 10',
    ]);
    for (const index of [1, 2, 4]) {
      expect(document.steps[index]).to.include({ at: null, detail: 'no longer recorded' });
    }
    expect(document.notes).to.deep.equal([]);
  });

  it('names a database that is away instead of what it would say', () => {
    const away = [{ database: 'payments' as const, message: 'connection refused' }];
    const document = trace({
      ...whole,
      payments: undefined,
      clocks: { orders: clock(), broker: clock() },
      away,
    });
    expect(document.steps[2]).to.include({ step: 'received', at: null, detail: 'payments is away' });
    expect(document.steps[5]).to.include({ step: 'settled', ms: 5 });
    expect(document.away).to.deep.equal(away);
    expect(trace({ orders: undefined, away }).steps[0]?.detail).to.equal('orders is away');
  });

  it('tells a dead letter, its redriving, and the delivery that came of it', () => {
    const document = trace({
      orders: ordersWith(settled({ settledAt: begin + 120 })),
      payments: payments({
        inbox: { ...inbox, jobId: 'letter', receivedAt: begin + 105 },
        decision: { ...decision, decidedAt: begin + 106 },
      }),
      broker: broker({
        requests: [request(), job('letter', 'payment-requests', 101)],
        results: [job('result', 'payment-results', 110)],
        letters: [letter({ handling: { action: 'redriven', who: 'eve', why: '', at: begin + 100 } })],
      }),
    });
    expect(names(document)).to.deep.equal([
      'created',
      'published',
      'dead-letter',
      'redriven',
      'received',
      'decided',
      'published',
      'settled',
    ]);
    expect(document.duplicates).to.equal(0);
    expect(document.steps[2]).to.include({
      service: 'payments',
      dead_letter_id: 'letter',
      job_id: 'request',
    });
    expect(document.steps[3]).to.include({ service: 'operator', detail: 'to payment-requests by eve' });
  });

  it('tells what the sweep requested again', () => {
    const document = trace({
      ...whole,
      orders: ordersWith(settled({ requestCount: 3, requestedAt: begin + 12 })),
    });
    expect(told(document)).to.include('requested-again 2');
    expect(document.steps.find(({ step }) => step === 'requested-again')?.detail).to.contain('2 times');
  });

  describe('with clocks that differ', () => {
    it('corrects the milliseconds by the difference measured, and says so', () => {
      const ahead = 5_000;
      const document = trace({
        ...whole,
        payments: payments({
          inbox: { ...inbox, receivedAt: inbox.receivedAt + ahead },
          decision: { ...decision, decidedAt: decision.decidedAt + ahead },
        }),
        clocks: { ...clocks, payments: clock(ahead) },
      });
      expect(told(document)).to.deep.equal(told(trace(whole)));
      expect(document.notes).to.have.length(1);
      expect(document.notes[0]).to.contain('payments database is 5.0 s ahead of that of the orders database');
      expect(document.steps[3]?.at).to.equal(new Date(begin + 10 + ahead).toISOString());
    });

    it('never prints a negative time: it is left out, and said', () => {
      const document = trace({
        ...whole,
        payments: payments({ inbox, decision: { ...decision, decidedAt: begin - 3_000 } }),
      });
      expect(document.steps.map(({ ms }) => ms ?? 0).every((ms) => ms >= 0)).to.equal(true);
      expect(document.steps[3]).to.include({ step: 'decided', ms: null });
      expect(document.notes[0]).to.contain('decided (step 4) is earlier than received (step 3)');
    });

    it('takes a difference that no measurement can tell from nothing for nothing', () => {
      const document = trace({
        ...whole,
        payments: payments({ inbox: { ...inbox, receivedAt: begin + 4.5 }, decision }),
      });
      expect(document.steps[2]?.ms).to.equal(0);
      expect(document.notes).to.deep.equal([]);
    });
  });
});

describe('where an order stands', () => {
  const holder = { pid: 4711, name: 'psql', user: 'postgres' };

  it('is the outbox of orders, and whoever holds its row', () => {
    const { standing } = trace({
      orders: { order: order(), outbox: { createdAt: begin, ahead: 41, holder }, waits: [] },
    });
    expect(standing).to.deep.include({
      next_step: 'published',
      number: 2,
      service: 'orders',
      place: 'orders-outbox',
      detail: 'in the outbox of orders, behind 41 others',
      waiting_s: 60,
    });
    expect(standing?.reasons[0]?.detail).to.contain('psql (backend 4711, role postgres)');
  });

  it('is the queue of requests while no payments daemon runs, since when it stopped', () => {
    const stopped = { ...running('payments'), stoppedAt: begin + 2 };
    const document = trace({
      broker: broker({
        requests: [request({ state: 'created', startedAt: null, completedAt: null })],
        instances: [running('orders'), stopped],
        sessions: { orders: 4, payments: 0 },
      }),
    });
    expect(document.standing).to.deep.include({ place: 'payment-requests', number: 3, service: 'payments' });
    expect(document.standing?.reasons).to.deep.equal([
      {
        reason: 'daemon-down',
        detail: 'no payments daemon is connected to the broker; the last one (process 7 on here) was stopped',
        since: new Date(begin + 2).toISOString(),
      },
    ]);
    expect(document.standing?.commands[0]).to.equal('tillbox serve payments');
  });

  it('suggests to start everything when nothing runs', () => {
    const document = trace({ broker: broker({ instances: [], sessions: { orders: 0, payments: 0 } }) });
    expect(document.standing?.commands[0]).to.equal('tillbox up --detach');
  });

  it('is a job that fails again and again, with its error', () => {
    const document = trace({
      broker: broker({
        requests: [request({ state: 'retry', retries: 4, completedAt: null, error: 'no space left' })],
      }),
    });
    expect(reasons(document)).to.deep.equal(['retrying']);
    expect(document.standing?.reasons[0]?.detail).to.contain('failed 4 times (no space left)');
    expect(document.steps[1]).to.include({ retries: 4 });
  });

  it('is in the hands of a receiver', () => {
    const document = trace({
      broker: broker({ requests: [request({ state: 'active', completedAt: null })] }),
    });
    expect(reasons(document)).to.deep.equal(['in-hands']);
  });

  it('is the inbox while somebody holds the account', () => {
    const document = trace({
      payments: payments({ inbox: { ...inbox, processedAt: null }, accountHolder: holder }),
      broker: broker({ requests: [request()] }),
    });
    expect(document.standing).to.deep.include({ place: 'payments-inbox', next_step: 'decided' });
    expect(reasons(document)).to.deep.equal(['account-held']);
    expect(document.standing?.commands[0]).to.contain('pg_terminate_backend(4711)');
  });

  it('is a place with a backlog, how deep and how fast', () => {
    const queue = {
      name: 'payment-results',
      kind: 'queue' as const,
      depth: 5_000,
      estimated: true,
      oldest_s: 12,
      in_flight: 0,
      retrying_jobs: 0,
      in_per_s: 900,
      out_per_s: 1_000,
    };
    const document = trace({
      payments: payments({ inbox, decision }),
      broker: broker({
        requests: [request()],
        results: [result({ state: 'created', startedAt: null, completedAt: null })],
      }),
      queues: [queue],
    });
    expect(document.standing).to.deep.include({ place: 'payment-results', next_step: 'settled' });
    expect(document.standing?.reasons[0]?.detail).to.equal(
      'about 5000 messages wait in payment-results, the oldest for 12 s, 1000 a second leave',
    );
  });

  it('is a dead letter, until that is redriven', () => {
    const facts = { broker: broker({ requests: [request()], letters: [letter()] }) };
    const { standing } = trace(facts);
    expect(standing).to.deep.include({ place: 'dead-letters' });
    expect(standing?.commands).to.deep.equal([
      'tillbox dead-letters show letter',
      'tillbox dead-letters redrive letter',
    ]);
  });

  it('is nowhere when nothing is on its way, and then the sweep is waited for', () => {
    const document = trace({
      orders: ordersWith(order({ requestCount: 3, requestedAt: begin + 30_000 })),
      payments: payments({ inbox, decision }),
      broker: broker({ requests: [request()] }),
    });
    expect(document.standing).to.deep.include({ place: 'nowhere', number: 5 });
    expect(reasons(document)).to.deep.equal(['lost']);
    expect(document.standing?.reasons[0]?.detail).to.contain('again 100 s after the last request');
  });

  it('is unknown when the database is away that would know', () => {
    const away = [{ database: 'broker' as const, message: 'connection refused' }];
    const document = trace({ broker: undefined, away });
    expect(document.standing).to.deep.include({ place: 'unknown' });
    expect(reasons(document)).to.deep.equal(['database-away']);
    expect(document.standing?.commands).to.include('tillbox status');
  });

  it('names a daemon that is connected and says nothing', () => {
    const document = trace({
      broker: broker({
        requests: [request({ state: 'created', completedAt: null })],
        instances: [{ ...running('payments'), silent: true }, running('orders')],
      }),
    });
    expect(reasons(document)).to.deep.equal(['daemon-silent']);
  });

  it('names each daemon that hangs as soon as it does not answer, long before its heartbeat is missed', () => {
    const instance = (pid: number, changes: object = {}) => ({
      ...{ url: `http://127.0.0.1:${pid}`, pid, ready: true, silent: false },
      ...changes,
    });
    const health = {
      orders: [instance(1)],
      payments: [instance(2), instance(7, { ready: false, silent: true }), instance(8, { ready: false })],
    };
    const heard = { ...running('payments'), pid: 7 };
    const document = trace({
      broker: broker({
        requests: [request({ state: 'created', completedAt: null })],
        instances: [heard, running('orders')],
      }),
      health,
    });
    expect(document.standing?.reasons).to.deep.equal([
      {
        reason: 'daemon-silent',
        detail: 'payments (process 7) does not answer, 2 of 3 are like that; it was last heard of',
        since: new Date(heard.heardAt).toISOString(),
      },
      {
        reason: 'daemon-not-ready',
        detail: 'payments (process 8) is not ready, 2 of 3 are like that',
        since: null,
      },
    ]);
    expect(document.standing?.commands).to.deep.equal(['tillbox status', 'kill -9 7']);
  });
});
