import type { Statement, Transaction } from '../platform/database.ts';

/** The SQL of top-ups. */

/** A top-up that is there: `balance` is the account's right after it. */
export interface Topup {
  id: string;
  userId: string;
  amount: bigint;
  balance: bigint;
  idempotencyKey: string | null;
  createdAt: Date;
}

interface TopupRow {
  id: string;
  user_id: string;
  amount: bigint;
  balance: bigint;
  idempotency_key: string | null;
  created_at: Date;
}

const topupColumns = 'id, user_id, amount, balance, idempotency_key, created_at';

const insertTopupsStatement: Statement = {
  name: 'topups_insert',
  text: `
    insert into payments.topups (id, user_id, amount, balance, idempotency_key)
    select * from json_to_recordset($1)
      as input (id uuid, user_id text, amount bigint, balance bigint, idempotency_key text)
    returning ${topupColumns}`,
};

/** Records top-ups; their accounts are locked by the caller's transaction. */
export async function insertTopups(
  tx: Transaction,
  topups: readonly Omit<Topup, 'createdAt'>[],
): Promise<Topup[]> {
  if (topups.length === 0) return [];
  const rows = topups.map(({ id, userId, amount, balance, idempotencyKey }) => ({
    id,
    user_id: userId,
    amount: amount.toString(),
    balance: balance.toString(),
    idempotency_key: idempotencyKey,
  }));
  return (await tx.query<TopupRow>(insertTopupsStatement, [JSON.stringify(rows)])).map(toTopup);
}

// A union, each half by its own index; with OR it would read the whole table.
const findTopupsStatement: Statement = {
  name: 'topups_find',
  text: `
    select ${topupColumns} from payments.topups where id = any($1::uuid[])
    union
    select ${topupColumns} from payments.topups
     where (user_id, idempotency_key) in (select * from unnest($2::text[], $3::text[]))`,
};

/** The top-ups with these ids, or under these users' idempotency keys. */
export async function findTopups(
  tx: Transaction,
  wanted: readonly { id: string; userId: string; idempotencyKey: string | undefined }[],
): Promise<Topup[]> {
  const keyed = wanted.filter(({ idempotencyKey }) => idempotencyKey !== undefined);
  const rows = await tx.query<TopupRow>(findTopupsStatement, [
    wanted.map(({ id }) => id),
    keyed.map(({ userId }) => userId),
    keyed.map(({ idempotencyKey }) => idempotencyKey),
  ]);
  return rows.map(toTopup);
}

function toTopup(row: TopupRow): Topup {
  return {
    id: row.id,
    userId: row.user_id,
    amount: row.amount,
    balance: row.balance,
    idempotencyKey: row.idempotency_key,
    createdAt: row.created_at,
  };
}
