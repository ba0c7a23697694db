/** What a service may do with one of its tables. */
export interface TablePrivileges {
  table: string;
  may: readonly ('select' | 'insert' | 'update' | 'delete')[];
  /** The columns it may update, where it may not update every one. */
  updates?: readonly string[];
}

/** What each service needs in its schema; none can touch another's. The broker owns its own. */
export const servicePrivileges: Record<'orders' | 'payments', readonly TablePrivileges[]> = {
  orders: [
    {
      table: 'orders.orders',
      may: ['select', 'insert'],
      updates: ['status', 'reason', 'settled_at', 'idempotency_key'],
    },
    { table: 'orders.waiting', may: ['select', 'insert', 'update', 'delete'] },
    { table: 'orders.outbox', may: ['select', 'insert', 'update', 'delete'] },
  ],
  payments: [
    {
      table: 'payments.accounts',
      may: ['select', 'insert'],
      updates: ['balance', 'entry_count', 'idempotency_key'],
    },
    { table: 'payments.topups', may: ['select', 'insert'], updates: ['idempotency_key'] },
    { table: 'payments.entries', may: ['select', 'insert'] },
    { table: 'payments.decisions', may: ['select', 'insert'] },
    { table: 'payments.inbox', may: ['select', 'insert', 'update', 'delete'] },
    { table: 'payments.outbox', may: ['select', 'insert', 'update', 'delete'] },
  ],
};

/** The statements that grant a service what it needs. @param role quoted as an identifier */
export function grantsFor(schema: 'orders' | 'payments', role: string): string {
  return servicePrivileges[schema]
    .map(({ table, may, updates }) => {
      const granted = [...may, ...(updates === undefined ? [] : [`update (${updates.join(', ')})`])];
      return `grant ${granted.join(', ')} on ${table} to ${role};`;
    })
    .join('\n');
}
