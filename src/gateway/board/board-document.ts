import type {
  OrdersReport,
  PaymentsReport,
  QueueView,
  RatesReport,
  ReportedOrder,
  ReportedPayment,
  SettleTimes,
  StepName,
} from '../../platform/board-report.ts';

/** One look at the whole: the data of an event of `GET /board/events`. What is not known is null, never guessed. */
export interface BoardDocument {
  at: string;
  steps: BoardStep[];
  /** In the order a message takes; one that cannot be seen is missing. */
  queues: QueueView[];
  /** A sample of the newest, newest first; null while the orders service does not say. */
  orders: BoardOrder[] | null;
  settle_ms: SettleTimes | null;
  /** Processes that answer, of all there are. */
  instances: Record<Service, { answering: number; of: number }>;
  blind: BlindSpot[];
}

/** One of the six steps, and how often a second it was taken in the last five seconds. */
export interface BoardStep {
  number: number;
  step: StepName;
  service: Service;
  per_s: number | null;
}

/** An order with its way. */
export interface BoardOrder extends Omit<ReportedOrder, 'published'> {
  /** The last step it is known to have taken, 1 to 6. */
  reached: number;
  received_at: string | null;
  decided_at: string | null;
}

/** What cannot be seen, and since when that is known. */
export interface BlindSpot {
  what: Service | 'broker';
  since: string;
  /** For people. */
  detail: string;
}

export type Service = 'orders' | 'payments';

/** What the services answered; undefined is no answer. */
export interface Seen {
  orders: Answered<OrdersReport> | undefined;
  payments: Answered<PaymentsReport> | undefined;
  rates: Record<Service, (RatesReport | undefined)[]>;
}

/** An answer: a report, or a refusal of a service whose database is away. */
export type Answered<Report> = { report: Report } | { refused: true };

const steps: readonly Omit<BoardStep, 'per_s'>[] = [
  { number: 1, step: 'created', service: 'orders' },
  { number: 2, step: 'published', service: 'orders' },
  { number: 3, step: 'received', service: 'payments' },
  { number: 4, step: 'decided', service: 'payments' },
  { number: 5, step: 'published', service: 'payments' },
  { number: 6, step: 'settled', service: 'orders' },
];

/** In the order a message takes. */
const queueNames = [
  'orders-outbox',
  'payment-requests',
  'payments-inbox',
  'payments-outbox',
  'payment-results',
  'payment-requests-dead-letters',
  'payment-results-dead-letters',
];

/**
 * The document of what was seen. Pure.
 * @param shown ids of the orders to show, newest first
 */
export function boardDocument(
  seen: Seen,
  options: { at: Date; shown: readonly string[]; blind: BlindSpot[] },
): BoardDocument {
  const orders = reportOf(seen.orders);
  const payments = reportOf(seen.payments);
  // Both tell of the queues between them.
  const told = [...(orders?.queues ?? []), ...(payments?.queues ?? [])];
  const queues = [...new Map(told.map((queue) => [queue.name, queue])).values()];
  const place = ({ name }: QueueView) => queueNames.indexOf(name);
  return {
    at: options.at.toISOString(),
    steps: steps.map((step) => ({ ...step, per_s: rateOf(step, seen.rates[step.service]) })),
    queues: queues.sort((a, b) => place(a) - place(b)),
    orders: orders === undefined ? null : shownOrders(orders, payments, options.shown),
    settle_ms: orders?.settle_ms ?? null,
    instances: { orders: countOf(seen.rates.orders), payments: countOf(seen.rates.payments) },
    blind: options.blind,
  };
}

/** What cannot be seen now. Pure. */
export function blindSpots(seen: Seen): Omit<BlindSpot, 'since'>[] {
  const spots: Omit<BlindSpot, 'since'>[] = [];
  for (const service of ['orders', 'payments'] as const) {
    if (reportOf<unknown>(seen[service]) !== undefined) continue;
    const what = seen[service] !== undefined ? 'runs, but its database does not answer' : 'does not answer';
    spots.push({ what: service, detail: `The ${service} service ${what}.` });
  }
  const reports = [reportOf(seen.orders), reportOf(seen.payments)];
  if (reports.some((report) => report?.broker === false)) {
    spots.push({
      what: 'broker',
      detail: 'The broker does not answer: what waits in the queues is not seen.',
    });
  }
  return spots;
}

/** The report in an answer, if it is one. */
export function reportOf<Report>(answered: Answered<Report> | undefined): Report | undefined {
  return answered !== undefined && 'report' in answered ? answered.report : undefined;
}

/** All instances together; null when none says. */
function rateOf(
  { number }: { number: number },
  reports: readonly (RatesReport | undefined)[],
): number | null {
  const rates = reports.flatMap(
    (report) => report?.steps.find((step) => step.number === number)?.per_s ?? [],
  );
  return rates.length === 0 ? null : Math.round(rates.reduce((sum, rate) => sum + rate, 0) * 10) / 10;
}

function countOf(reports: readonly unknown[]): { answering: number; of: number } {
  return { answering: reports.filter((report) => report !== undefined).length, of: reports.length };
}

function shownOrders(
  { orders }: OrdersReport,
  report: PaymentsReport | undefined,
  shown: readonly string[],
): BoardOrder[] {
  const payments = new Map(report?.payments.map((payment) => [payment.order_id, payment]));
  const byId = new Map(orders.map((order) => [order.id, order]));
  return shown.flatMap((id) => {
    const order = byId.get(id);
    return order === undefined ? [] : [withWay(order, payments.get(id))];
  });
}

function withWay({ published, ...order }: ReportedOrder, payment: ReportedPayment | undefined): BoardOrder {
  const { received_at = null, decided_at = null } = payment ?? {};
  return { ...order, reached: reachedStep(order, published, payment), received_at, decided_at };
}

function reachedStep(
  { settled_at }: Pick<ReportedOrder, 'settled_at'>,
  published: boolean,
  payment: ReportedPayment | undefined,
): number {
  if (settled_at !== null) return 6;
  if (payment?.published) return 5;
  if (payment !== undefined && payment.decided_at !== null) return 4;
  if (payment !== undefined) return 3;
  return published ? 2 : 1;
}
