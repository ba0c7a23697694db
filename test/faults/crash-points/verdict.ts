import { formatAmount, parseAmount } from '../../../src/platform/money.ts';
import type { DatabaseUrls } from '../../../src/system/migrate.ts';
import { type AuditReport, audit } from '../../../src/tools/audit/audit.ts';
import type { Sql } from './lane.ts';
import { type Asked, amounts, placedAmount } from './scenario.ts';

/** From the last crash on: a lease, its supervision, the retry's delay and the sweep, with room. */
const quietMsMax = 45_000;

/** What each cell leaves in the dead letters, by reason; a crash may leave the same one twice. */
const deadLettersExpected = [
  'contradicts-decision',
  'contradicts-order',
  'unknown-order',
  'unknown-type',
  'unknown-type',
];

interface OrderRow {
  id: string;
  user_id: string;
  description: string;
  amount: string;
  status: string;
  reason: string | null;
}
interface EntryRow {
  user_id: string;
  seq: string;
  amount: string;
  order_id: string | null;
}
interface State {
  orders: OrderRow[];
  entries: EntryRow[];
  balances: Map<string, bigint>;
  /** Requests in the inbox and decisions, one id an order each. */
  received: string[];
  decided: string[];
  deadLetters: { queue: string; reason: string; text: string }[];
}

/**
 * Waits until a lane's system is quiet, then says of each cell what is wrong: nothing, or sentences. What
 * belongs to no cell is under `lane`.
 */
export async function judge(
  urls: DatabaseUrls,
  sql: Sql,
  cells: readonly Asked[],
): Promise<Map<string, string[]>> {
  const report = await audit(urls, { waitMs: quietMsMax });
  const state = await readState(sql);
  const wrong = new Map<string, string[]>();
  for (const asked of cells) wrong.set(asked.cell, judgeCell(asked, state));
  wrong.set('lane', []);
  for (const sentence of auditFindings(report)) {
    const cell = cells.find((asked) => concerns(sentence, asked, state))?.cell ?? 'lane';
    wrong.get(cell)?.push(sentence);
  }
  return wrong;
}

function auditFindings({ violations, in_flight: inFlight }: AuditReport): string[] {
  const waiting = Object.entries(inFlight).filter(([, count]) => count > 0);
  return [
    ...violations
      .filter(({ invariant }) => !['no-contradiction', 'dead-letters-acknowledged'].includes(invariant))
      .map(({ invariant, id, detail }) => `${invariant}: ${id}: ${detail}`),
    ...waiting.map(([step, count]) => `not quiet: ${count} at ${step}`),
  ];
}

function concerns(sentence: string, { cell, placed }: Asked, { orders }: State): boolean {
  if (sentence.includes(`${cell}-`)) return true;
  const ids = orders.filter(({ user_id }) => user_id.startsWith(`${cell}-`)).map(({ id }) => id);
  return [...ids, ...placed].some((id) => sentence.includes(id));
}

async function readState(sql: Sql): Promise<State> {
  const accounts = await sql<{ user_id: string; balance: string }>(
    'payments',
    'select user_id, balance from payments.accounts',
  );
  return {
    orders: await sql('orders', 'select id, user_id, description, amount, status, reason from orders.orders'),
    entries: await sql('payments', 'select user_id, seq, amount, order_id from payments.entries'),
    balances: new Map(accounts.map(({ user_id, balance }) => [user_id, BigInt(balance)])),
    received: await orderIds(sql, 'inbox'),
    decided: await orderIds(sql, 'decisions'),
    deadLetters: await sql(
      'broker',
      `select name as queue, data -> 'dead_letter' ->> 'reason' as reason, data::text as text
         from broker.job where name like '%-dead-letters'`,
    ),
  };
}

async function orderIds(sql: Sql, table: 'inbox' | 'decisions'): Promise<string[]> {
  const rows = await sql<{ order_id: string }>('payments', `select order_id from payments.${table}`);
  return rows.map(({ order_id }) => order_id);
}

function judgeCell({ cell, placed, answered }: Asked, state: State): string[] {
  const wrong: string[] = [];
  const expectOrder = (kind: string, order: OrderRow | undefined, status: string, reason: string | null) => {
    if (order === undefined) return void wrong.push(`the ${kind} order is not there`);
    const became = `${order.status} ${order.reason ?? ''}`.trim();
    const expected = `${status} ${reason ?? ''}`.trim();
    if (became !== expected) wrong.push(`the ${kind} order is ${became}, not ${expected}`);
    const debits = state.entries.filter(({ order_id }) => order_id === order.id);
    const debited = debits.map(({ amount }) => amount).join(' ');
    const debit = status === 'FINISHED' ? `-${order.amount}` : '';
    for (const [table, ids] of Object.entries({ inbox: state.received, decisions: state.decided })) {
      const { length } = ids.filter((id) => id === order.id);
      if (length !== 1) wrong.push(`the ${kind} order is ${length} times among ${table}`);
    }
    if (debited !== debit) wrong.push(`the ${kind} order was debited "${debited}", not "${debit}"`);
  };
  const own = state.orders.filter(({ user_id }) => user_id.startsWith(`${cell}-`));
  for (const [kind, reason] of [
    ['paid', null],
    ['poor', 'INSUFFICIENT_FUNDS'],
    ['nobody', 'ACCOUNT_NOT_FOUND'],
    ['unrepeated', null],
  ] as const) {
    const orders = own.filter(({ description }) => description === kind);
    // Sent once and not answered: there or not.
    if (kind === 'unrepeated' && answered.unrepeated === undefined && orders.length === 0) continue;
    if (orders.length > 1) wrong.push(`there are ${orders.length} ${kind} orders`);
    if (answered[kind] !== undefined && orders[0]?.id !== answered[kind]) {
      wrong.push(`the ${kind} order was answered as ${answered[kind]} and is ${orders[0]?.id}`);
    }
    expectOrder(kind, orders[0], reason === null ? 'FINISHED' : 'CANCELED', reason);
  }
  placed.forEach((id, index) => {
    const order = state.orders.find((row) => row.id === id);
    expectOrder(index === 0 ? 'announced' : 'lost', order, 'FINISHED', null);
    if (order !== undefined && BigInt(order.amount) !== placedAmount) wrong.push('its amount changed');
  });
  const spent = own.filter(({ status }) => status === 'FINISHED').map(({ amount }) => BigInt(amount));
  const left = minor(amounts.topup) - spent.reduce((sum, amount) => sum + amount, 0n);
  for (const [name, balance] of [
    ['rich', left],
    ['poor', minor(amounts.poorTopup)],
  ] as const) {
    const is = state.balances.get(`${cell}-${name}`);
    if (is !== balance)
      wrong.push(`the ${name} user has ${is && formatAmount(is)}, not ${formatAmount(balance)}`);
  }
  const reasons = new Set<string>();
  for (const { queue, reason, text } of state.deadLetters) {
    if (text.includes(`${cell}-`) || text.includes(`"${cell}"`)) reasons.add(`${reason} ${queue}`);
  }
  const found = [...reasons].map((reason) => reason.split(' ')[0]).sort();
  if (found.join() !== deadLettersExpected.join()) {
    wrong.push(`its dead letters are ${found.join(', ')}, not ${deadLettersExpected.join(', ')}`);
  }
  return wrong;
}

function minor(amount: string): bigint {
  return parseAmount(amount) ?? 0n;
}
