import type { DecisionRow } from './decision-checks.ts';
import type { Findings, Invariant } from './findings.ts';
import { money } from './ledger-checks.ts';
import type { OrderRow } from './orders-checks.ts';

/** Orders against decisions, across databases: both come sorted by order id and are read once. */

/** An order as its database had it, and what payments decided about it; either may be missing. */
export interface Pair {
  id: string;
  order: OrderRow | undefined;
  decision: DecisionRow | undefined;
}

/**
 * Joins orders and decisions and hands over what does not agree, in memory of a page each. Both must be
 * sorted by order id; Postgres sorts a uuid as JavaScript sorts its text. An order with several decisions
 * is joined with each of them, and is told to `repeated`. Answers how many decisions there are.
 */
export async function compare(
  pages: { orders: AsyncGenerator<OrderRow[]>; decisions: AsyncGenerator<DecisionRow[]> },
  visitor: { suspect(pair: Pair): Promise<void> | undefined; repeated(decision: DecisionRow): void },
): Promise<number> {
  const orders = new Head(pages.orders);
  const decisions = new Head(pages.decisions);
  let decided: string | undefined;
  let count = 0;
  for (;;) {
    if (orders.isDrained) await orders.refill();
    if (decisions.isDrained) await decisions.refill();
    const order = orders.row;
    const decision = decisions.row;
    if (order === undefined && decision === undefined) return count;
    if (order !== undefined && (decision === undefined || order.id < decision.order_id)) {
      if (order.id !== decided && order.status !== 'NEW') {
        const looking = visitor.suspect({ id: order.id, order, decision: undefined });
        if (looking !== undefined) await looking;
      }
      orders.advance();
    } else if (decision !== undefined) {
      const id = decision.order_id;
      if (id === decided) visitor.repeated(decision);
      decided = id;
      count += 1;
      const pair = { id, order: order?.id === id ? order : undefined, decision };
      const looking = agrees(pair) ? undefined : visitor.suspect(pair);
      if (looking !== undefined) await looking;
      decisions.advance();
    }
  }
}

/** The first row not yet seen, of rows that come by the page. */
class Head<Row> {
  readonly #pages: AsyncGenerator<Row[]>;
  #page: Row[] = [];
  #index = 0;
  #isOver = false;

  constructor(pages: AsyncGenerator<Row[]>) {
    this.#pages = pages;
  }

  /** Whether the next page must be fetched before `row` is right. */
  get isDrained(): boolean {
    return this.#index === this.#page.length && !this.#isOver;
  }

  /** Undefined at the end. */
  get row(): Row | undefined {
    return this.#page[this.#index];
  }

  advance(): void {
    this.#index += 1;
  }

  async refill(): Promise<void> {
    const next = await this.#pages.next();
    this.#page = next.done ? [] : next.value;
    this.#index = 0;
    this.#isOver = next.done === true;
  }
}

function agrees({ order, decision }: Pair): boolean {
  return (
    order !== undefined &&
    decision !== undefined &&
    order.user_id === decision.user_id &&
    order.amount === decision.amount &&
    (order.status === 'NEW' || (order.status === statusOf(decision) && order.reason === decision.reason))
  );
}

function statusOf({ outcome }: DecisionRow): string {
  return outcome === 'paid' ? 'FINISHED' : 'CANCELED';
}

/** What is wrong between an order and a decision: a decision comes after its order, a settlement after both. Pure. */
export function judge({ order, decision }: Pair): [Invariant, string][] {
  if (order === undefined) {
    if (decision === undefined) return [];
    return [['decision-has-order', `${describeDecision(decision)}, but there is no such order`]];
  }
  const found: [Invariant, string][] = [];
  if (decision === undefined) {
    if (order.status !== 'NEW') {
      found.push(['status-equals-decision', `${describeOrder(order)}, but it was never decided`]);
    }
    return found;
  }
  const detail = `${describeOrder(order)}; ${describeDecision(decision)}`;
  if (order.user_id !== decision.user_id || order.amount !== decision.amount) {
    found.push(['decision-equals-order', detail]);
  }
  const isSettledOtherwise = order.status !== statusOf(decision) || order.reason !== decision.reason;
  if (order.status !== 'NEW' && isSettledOtherwise) found.push(['status-equals-decision', detail]);
  return found;
}

export function describeOrder({ user_id, amount, status, reason }: OrderRow): string {
  return `order of ${money(amount)} of ${user_id} is ${status}${reason === null ? '' : ` (${reason})`}`;
}

export function describeDecision({ user_id, amount, outcome, reason }: DecisionRow): string {
  return `decided ${money(amount)} of ${user_id} as ${outcome}${reason === null ? '' : ` (${reason})`}`;
}

/** Adds what `judge` finds, of several decisions each fact once. */
export function addJudged(findings: Findings, pairs: readonly Pair[]): void {
  const told = new Set<string>();
  for (const pair of pairs) {
    for (const [invariant, detail] of judge(pair)) {
      const fact = `${pair.id} ${invariant} ${detail}`;
      if (!told.has(fact)) findings.add(invariant, pair.id, detail);
      told.add(fact);
    }
  }
}
