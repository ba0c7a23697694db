import type { OrderView } from '../orders/order.ts';
import { visible } from './terminal/terminal-text.ts';

/** What one may want to type next about an order that is not paid; undefined where nothing suggests itself. */
export function nextStepOf({ id, user_id: userId, amount, status, reason }: OrderView): string | undefined {
  if (status === 'NEW') return visible(`Watch it: tillbox order ${id} --watch`);
  if (reason === 'ACCOUNT_NOT_FOUND') return visible(`Create the account: tillbox create-account ${userId}`);
  if (reason === 'INSUFFICIENT_FUNDS') return visible(`Put money into it: tillbox topup ${userId} ${amount}`);
  return undefined;
}
