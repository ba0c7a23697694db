import { formatAmount } from '../../platform/money.ts';
import { seededRandom } from '../random.ts';
import type { Target } from './connection.ts';

/** Which orders a run sends: the same seed, the same orders in the same sequence, for users of its own. */
export interface OrderMix {
  /** Of a run, and of nobody else. */
  runId: string;
  /** Accounts with enough money. */
  users: number;
  /** Share of the orders of users with money that are on one account, 0 to 1. */
  hotShare: number;
  /** Share of all orders that are of users without money, 0 to 1. */
  overdraftShare: number;
  /** In minor units, both ends included. */
  amountMin: bigint;
  amountMax: bigint;
  seed: number;
}

/** One order of the plan. */
export interface PlannedOrder {
  userId: string;
  /** Decimal. */
  amount: string;
  /** Whether its user has enough money. */
  payable: boolean;
}

/** Users without money: a few are enough, as nothing is ever written to their accounts. */
const poorUsersMax = 100;

/** The names of a run's users. The first one with money is the hot one. */
export function usersOf({ runId, users, overdraftShare }: OrderMix): { rich: string[]; poor: string[] } {
  const named = (kind: string, count: number) =>
    Array.from({ length: count }, (_, index) => `load-${runId}-${kind}${index + 1}`);
  const poor = overdraftShare === 0 ? 0 : Math.min(poorUsersMax, users);
  return { rich: named('', overdraftShare === 1 ? 0 : users), poor: named('poor-', poor) };
}

/** The orders of a run, one after the other, without end. */
export function planOrders(mix: OrderMix): () => PlannedOrder {
  const random = seededRandom(mix.seed);
  const { rich, poor } = usersOf(mix);
  const isFixed = mix.amountMin === mix.amountMax;
  const fixed = formatAmount(mix.amountMin);
  const span = Number(mix.amountMax - mix.amountMin) + 1;
  return () => {
    // Each order takes the same count of numbers, so that one option does not move what another decides.
    const [kind, heat, who, howMuch] = [random.next(), random.next(), random.next(), random.next()];
    const payable = kind >= mix.overdraftShare;
    const among = payable ? rich : poor;
    const index = payable && heat < mix.hotShare ? 0 : Math.floor(who * among.length);
    const amount = isFixed ? fixed : formatAmount(mix.amountMin + BigInt(Math.floor(howMuch * span)));
    return { userId: among[index] as string, amount, payable };
  };
}

/** A POST as it goes over the wire. The values must be ASCII that needs no escape. */
export function postText(target: Target, path: string, body: string, idempotencyKey: string): string {
  return `POST ${target.prefix}${path} HTTP/1.1\r\nhost: ${target.authority}\r\n${target.authorization}content-type: application/json\r\nidempotency-key: ${idempotencyKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** A GET as it goes over the wire. */
export function getText(target: Target, path: string): string {
  return `GET ${target.prefix}${path} HTTP/1.1\r\nhost: ${target.authority}\r\n${target.authorization}\r\n`;
}
