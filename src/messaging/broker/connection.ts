import type { Queryable } from '../../platform/database.ts';
import { connectionOptions } from '../../platform/postgres-connection.ts';

/** What every use of pg-boss begins with. Nothing but this folder knows it. */

/** The schema of pg-boss, in a database of its own or beside the services'. */
export const schema = 'broker';

/** Options of an instance with a connection of its own. */
export function brokerConnection(url: string, name: string, patience: { connectMs?: number } = {}) {
  const { types: _types, ...connection } = connectionOptions(url, `tillbox ${name} broker`, patience);
  return { ...connection, schema, migrate: false, createSchema: false, schedule: false };
}

/** Options of an instance that runs its statements where its user says, and does nothing by itself. */
export const toolOptions = {
  schema,
  migrate: false,
  createSchema: false,
  schedule: false,
  supervise: false,
  registerInstance: false,
};

/** Where pg-boss's statements run. Without a name they stay unprepared, as it sends them. */
export function through(db: Queryable, name = '') {
  return {
    executeSql: async (text: string, values?: unknown[]) => ({
      rows: await db.query<Record<string, unknown>>({ name, text }, values),
    }),
  };
}
