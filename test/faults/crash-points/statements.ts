/**
 * Every boundary of the six steps, and of what surrounds them: each statement and commit that a daemon
 * sends, by the step that sends it. The test dies before and after each one, and fails when a daemon sends
 * one that is not here, or no longer sends one that is.
 */

export type Service = 'orders' | 'payments';
export const moments = ['before', 'after'] as const;
export type Moment = (typeof moments)[number];

/** What a daemon is told: die at this statement; let that one fail once, so that this one is reached. */
export interface CrashOrder {
  at?: string;
  moment?: Moment;
  refuse?: string;
}

export function readCrashOrder(text: string | undefined): CrashOrder {
  return text === undefined ? {} : JSON.parse(text);
}

/** The statements of one step. Those after a failure name the statement that has to fail. */
interface Step {
  title: string;
  /** The file of the step, in front of each statement's name. */
  step: string;
  statements: readonly string[];
  afterFailureOf?: Readonly<Record<string, string>>;
  /** Whether its work comes by HTTP; all other work can lie there before the daemon starts. */
  http?: true;
  /** Whether it must be the only daemon, because either of them does it for both. */
  alone?: true;
}

export const boundaries: Record<Service, readonly Step[]> = {
  orders: [
    {
      title: '1 create',
      step: 'create-orders',
      statements: ['orders_insert', 'orders_find_created'],
      http: true,
    },
    {
      title: '2 publish',
      step: 'outbox-relay',
      statements: [
        'begin',
        'orders_outbox_take',
        'insert payment-requests',
        'insert payment-results-dead-letters',
        'orders_outbox_remove',
        'commit',
      ],
      afterFailureOf: { rollback: 'insert payment-requests' },
    },
    {
      title: '6 settle',
      step: 'settle-orders',
      statements: [
        'fetch payment-results',
        'orders_settle',
        'orders_find',
        'orders_outbox_insert',
        'complete payment-results',
      ],
      afterFailureOf: { 'fail payment-results': 'orders_settle' },
    },
    {
      title: 'sweep',
      step: 'sweep-orders',
      statements: ['begin', 'orders_claim_overdue', 'orders_outbox_insert', 'commit'],
      afterFailureOf: { rollback: 'orders_outbox_insert' },
    },
    { title: 'redelivery', step: 'supervision', statements: ['claim', 'expire'], alone: true },
    { title: 'prune', step: 'idempotency-key-store', statements: ['orders.orders_prune_keys'] },
  ],
  payments: [
    { title: 'account', step: 'accounts', statements: ['accounts_insert', 'accounts_find'], http: true },
    {
      title: 'top-up',
      step: 'top-up',
      statements: [
        'begin',
        'accounts_lock',
        'topups_find',
        'topups_insert',
        'accounts_update',
        'entries_insert',
        'commit',
      ],
      afterFailureOf: { rollback: 'entries_insert' },
      http: true,
    },
    {
      title: '3 receive',
      step: 'receive-requests',
      statements: [
        'fetch payment-requests',
        'inbox_receive',
        'payments_outbox_insert',
        'complete payment-requests',
      ],
      afterFailureOf: { 'fail payment-requests': 'inbox_receive' },
    },
    {
      title: '4 pay',
      step: 'process-requests',
      statements: [
        'begin',
        'inbox_claim',
        'accounts_lock_free',
        'accounts_find_users',
        'decisions_find',
        'decisions_insert',
        'accounts_update',
        'entries_insert',
        'payments_outbox_insert',
        'inbox_mark_processed',
        'commit',
      ],
      afterFailureOf: { rollback: 'inbox_mark_processed' },
    },
    // Only where everything before is done.
    { title: '3, 4 at once', step: 'process-requests', statements: ['inbox_receive'], http: true },
    {
      title: '5 publish',
      step: 'outbox-relay',
      statements: [
        'begin',
        'payments_outbox_take',
        'insert payment-results',
        'insert payment-requests-dead-letters',
        'payments_outbox_remove',
        'commit',
      ],
      afterFailureOf: { rollback: 'insert payment-results' },
    },
    { title: 'redelivery', step: 'supervision', statements: ['claim', 'expire'], alone: true },
    { title: 'prune', step: 'idempotency-key-store', statements: ['payments.topups_prune_keys'] },
    { title: 'prune', step: 'prune-inbox', statements: ['inbox_prune'] },
    { title: 'prune', step: 'prune-account-keys', statements: ['accounts_prune_keys'] },
  ],
};

/** What daemons send besides: it reads, or keeps house, so that dying at it loses nothing. */
const harmless = new Set([
  'start-up',
  'broker: housekeeping',
  'service: select 1',
  'service: orders_outbox_check',
  'service: payments_outbox_check',
]);

/** One boundary, and how to get there. */
export interface Boundary {
  service: Service;
  title: string;
  /** As the daemon tells it, `step: statement`. */
  label: string;
  refuse: string | undefined;
  http: boolean;
  alone: boolean;
}

/** The boundaries of a service, in the order of the steps. */
export function boundariesOf(service: Service): Boundary[] {
  return boundaries[service].flatMap((step) => {
    const { title, statements, afterFailureOf = {}, http = false, alone = false } = step;
    return [...statements, ...Object.keys(afterFailureOf)].map((statement) => {
      const failing = afterFailureOf[statement];
      const refuse = failing === undefined ? undefined : `${step.step}: ${failing}`;
      return { service, title, label: `${step.step}: ${statement}`, refuse, http, alone };
    });
  });
}

/** The statements a daemon told that nobody listed. */
export function unlisted(service: Service, seen: Iterable<string>): string[] {
  const listed = new Set(boundariesOf(service).map(({ label }) => label));
  return [...seen].filter((label) => !listed.has(label) && !harmless.has(label)).sort();
}

/** Longest first, because the name of a queue is part of that of its dead letters. */
const queues = [
  'payment-requests-dead-letters',
  'payment-results-dead-letters',
  'payment-requests',
  'payment-results',
];
const receiverOf: Record<string, string> = {
  'payment-requests': 'receive-requests',
  'payment-results': 'settle-orders',
};

/** What a statement of pg-boss is, by what it does to which table, never by its full text. */
export function brokerStatement(text: string, values: unknown, files: readonly string[]): string {
  const said = [text, ...(Array.isArray(values) ? values : [])].filter((part) => typeof part === 'string');
  const queue = queues.find((name) => said.some((part) => part === name || part.includes(`'${name}'`)));
  const receiver = receiverOf[queue ?? ''] ?? `broker`;
  if (/failJobsByTimeout/.test(text)) return 'supervision: expire';
  if (/set\s+monitor_claim_on\s*=\s*\w+\.job_now/i.test(text)) return 'supervision: claim';
  if (/set\s+state = 'active'/i.test(text)) return `${receiver}: fetch ${queue}`;
  if (/with results as[^;]*state = 'completed'/i.test(text)) return `${receiver}: complete ${queue}`;
  if (/deleted_jobs as/i.test(text) && !/failJobsBy/.test(text)) return `${receiver}: fail ${queue}`;
  if (/insert into \w+\.j\w+ \(\s*id,\s*name,\s*data/i.test(text)) return `outbox-relay: insert ${queue}`;
  // The manager's other writes would be something new that we ask of the broker.
  const asked = files.includes('pg-boss/manager') && !/^\s*select/i.test(text);
  const housekeeper = files.some((file) => /^pg-boss\/(boss|navigator|registrar)$/.test(file));
  if (!asked || housekeeper || text === 'discard plans') return 'broker: housekeeping';
  return `broker: ${text.trim().replaceAll(/\s+/g, ' ').slice(0, 60)}`;
}
