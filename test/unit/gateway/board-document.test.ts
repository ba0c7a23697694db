import { expect } from 'chai';
import { blindSpots, boardDocument, type Seen } from '../../../src/gateway/board/board-document.ts';
import type {
  OrdersReport,
  PaymentsReport,
  QueueView,
  RatesReport,
} from '../../../src/platform/board-report.ts';

describe('the document of a board', () => {
  const queue = (name: string, kind: QueueView['kind'] = 'queue'): QueueView => ({
    name,
    kind,
    depth: 0,
    estimated: false,
    oldest_s: null,
    in_flight: null,
    retrying_jobs: null,
    in_per_s: null,
    out_per_s: null,
  });
  const order = (id: string, changes: object = {}) => ({
    id,
    user_id: 'alice',
    amount: '1.00',
    status: 'NEW',
    reason: null,
    created_at: '2026-01-01T00:00:00.000Z',
    settled_at: null,
    published: false,
    ...changes,
  });
  const ordersReport: OrdersReport = {
    queues: [queue('payment-results'), queue('orders-outbox', 'outbox')],
    broker: true,
    orders: [order('a')],
    settle_ms: { p50: 20, p95: 30, orders: 9 },
  };
  const paymentsReport: PaymentsReport = {
    queues: [queue('payments-inbox', 'inbox'), queue('payment-requests'), queue('payment-results')],
    broker: true,
    payments: [],
  };
  const rates = (number: number, per_s: number): RatesReport => ({
    pid: 1,
    steps: [{ number, step: 'created', per_s }],
  });
  const seen = (changes: Partial<Seen> = {}): Seen => ({
    orders: { report: ordersReport },
    payments: { report: paymentsReport },
    rates: { orders: [{ pid: 1, steps: [] }], payments: [{ pid: 2, steps: [] }] },
    ...changes,
  });
  const document = (from: Seen, shown = ['a']) => boardDocument(from, { at: new Date(0), shown, blind: [] });
  const reached = (changes: object, payment?: Partial<PaymentsReport['payments'][number]>) => {
    const payments =
      payment === undefined
        ? []
        : [{ order_id: 'a', received_at: null, decided_at: null, published: false, ...payment }];
    const from = seen({
      orders: { report: { ...ordersReport, orders: [order('a', changes)] } },
      payments: { report: { ...paymentsReport, payments } },
    });
    return document(from).orders?.[0]?.reached;
  };

  it('has each place once and in the order a message takes, whoever told of it', () => {
    const names = document(seen()).queues.map(({ name }) => name);
    expect(names).to.deep.equal(['orders-outbox', 'payment-requests', 'payments-inbox', 'payment-results']);
  });

  it('adds the rates of all instances, and knows none where none answers', () => {
    const told = seen({
      rates: { orders: [rates(1, 1.25), rates(1, 2.5), undefined], payments: [undefined, undefined] },
    });
    const { steps, instances } = document(told);
    expect(steps.map(({ number }) => number)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    expect(steps[0]?.per_s).to.equal(3.8);
    expect(steps[3]?.per_s).to.equal(null);
    expect(instances).to.deep.equal({ orders: { answering: 2, of: 3 }, payments: { answering: 0, of: 2 } });
  });

  it('says of each order the last step it is known to have taken', () => {
    const at = '2026-01-01T00:00:01.000Z';
    expect(reached({})).to.equal(1);
    expect(reached({ published: true })).to.equal(2);
    expect(reached({ published: true }, { received_at: at })).to.equal(3);
    expect(reached({}, { received_at: at, decided_at: at })).to.equal(4);
    expect(reached({}, { received_at: null, decided_at: at })).to.equal(4);
    expect(reached({}, { decided_at: at, published: true })).to.equal(5);
    expect(reached({ settled_at: at, status: 'FINISHED' })).to.equal(6);
  });

  it('knows of no orders, and no times, where the orders service does not say', () => {
    for (const orders of [undefined, { refused: true } as const]) {
      const { queues, ...told } = document(seen({ orders }));
      expect(told).to.include({ orders: null, settle_ms: null });
      expect(queues.map(({ name }) => name)).to.deep.equal([
        'payment-requests',
        'payments-inbox',
        'payment-results',
      ]);
    }
  });

  it('tells a service that is away from one whose database is, and from the broker', () => {
    const spots = (from: Seen) => blindSpots(from).map(({ what, detail }) => `${what}: ${detail}`);
    const nobody = { orders: [undefined], payments: [undefined] };
    expect(spots(seen())).to.deep.equal([]);
    expect(spots(seen({ payments: undefined, rates: nobody }))).to.deep.equal([
      'payments: The payments service does not answer.',
    ]);
    const behind = 'orders: The orders service runs, but its database does not answer.';
    expect(spots(seen({ orders: { refused: true }, rates: nobody }))).to.deep.equal([behind]);
    const noBroker = { report: { ...paymentsReport, broker: false } };
    expect(spots(seen({ payments: noBroker }))).to.deep.equal([
      'broker: The broker does not answer: what waits in the queues is not seen.',
    ]);
  });
});
