import type { FastifyInstance } from 'fastify';
import type { Database } from '../platform/database.ts';
import { CodedError } from '../platform/errors.ts';
import { mayActFor, type Principal } from '../platform/identity/principal.ts';
import { accountNotFound, anothersAccount } from '../platform/identity/refusals.ts';
import { amountRule, balanceMax, formatAmount, parseAmount } from '../platform/money.ts';
import { cursorRefused, cutPage, keyInCursor, pageSizeDefault } from '../platform/paging.ts';
import { viewAccount, viewEntry } from './account.ts';
import { listEntries } from './account-store.ts';
import { accountKey, createAccount, findAccount } from './accounts.ts';
import {
  accountIdSchema,
  accountSchema,
  createAccountSchema,
  entryPageSchema,
  listEntriesSchema,
  orderPaymentSchema,
  paymentSchema,
  topUpSchema,
  topupSchema,
} from './http-schemas.ts';
import { findPaymentProgress } from './payment-progress.ts';
import type { TopUps } from './top-up.ts';

interface UserParams {
  user_id: string;
}
interface IdempotencyHeaders {
  'idempotency-key'?: string;
}

/** Adds the routes of the payments service. */
export function addPaymentRoutes(
  app: FastifyInstance,
  { database, topUps }: { database: Database; topUps: TopUps },
): void {
  app.post<{ Body: { user_id: string }; Headers: IdempotencyHeaders }>(
    '/accounts',
    { schema: { ...createAccountSchema, response: { 201: accountSchema } } },
    async ({ body, headers, principal }, reply) => {
      if (!mayActFor(principal, body.user_id)) throw anothersAccount();
      const key = accountKey(principal, headers['idempotency-key']);
      const { createdAt, replayed } = await createAccount(database, body.user_id, key);
      reply.code(201).header('location', `/accounts/${body.user_id}`);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return viewAccount(body.user_id, 0n, createdAt);
    },
  );

  app.get<{ Params: UserParams }>(
    '/accounts/:user_id',
    { schema: { ...accountIdSchema, response: { 200: accountSchema } } },
    async ({ params, principal }) => {
      refuseAnothers(principal, params);
      const { userId, balance, createdAt } = await findAccount(database, params.user_id);
      return viewAccount(userId, balance, createdAt);
    },
  );

  app.post<{ Params: UserParams; Body: { amount: string }; Headers: IdempotencyHeaders }>(
    '/accounts/:user_id/topups',
    { schema: { ...topUpSchema, response: { 201: topupSchema } } },
    async ({ params, body, headers, principal }, reply) => {
      refuseAnothers(principal, params);
      const amount = parseAmount(body.amount);
      if (amount === undefined) {
        const fields = [{ field: 'amount', message: amountRule }];
        throw new CodedError('validation-failed', `amount ${amountRule}.`, { fields });
      }
      const idempotencyKey = headers['idempotency-key'];
      const { topup, replayed } = await topUps.topUp({ userId: params.user_id, amount, idempotencyKey });
      reply.code(201);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return {
        id: topup.id,
        user_id: topup.userId,
        amount: formatAmount(topup.amount),
        balance: formatAmount(topup.balance),
        created_at: topup.createdAt.toISOString(),
      };
    },
  );

  app.get<{ Params: UserParams; Querystring: { limit?: string; cursor?: string } }>(
    '/accounts/:user_id/entries',
    { schema: { ...listEntriesSchema, response: { 200: entryPageSchema } } },
    async ({ params, query, principal }) => {
      refuseAnothers(principal, params);
      const { userId } = await findAccount(database, params.user_id);
      const limit = Number(query.limit ?? pageSizeDefault);
      const before = seqInCursor(query.cursor);
      const entries = await listEntries(database, { userId, before, limit: limit + 1 });
      const { rows, nextCursor } = cutPage(entries, limit, ({ seq }) => seq.toString());
      return { entries: rows.map(viewEntry), next_cursor: nextCursor };
    },
  );

  app.get<{ Params: { order_id: string } }>(
    '/payments/:order_id',
    { schema: { ...orderPaymentSchema, response: { 200: paymentSchema } } },
    ({ params, principal }) => findPaymentProgress(database, params.order_id, principal),
  );
}

function refuseAnothers(principal: Principal, { user_id: userId }: UserParams): void {
  if (!mayActFor(principal, userId)) throw accountNotFound(userId);
}

function seqInCursor(cursor: string | undefined): bigint {
  const key = keyInCursor(cursor);
  if (key === undefined) return balanceMax;
  if (!/^[1-9]\d{0,17}$/.test(key)) throw cursorRefused();
  return BigInt(key);
}
