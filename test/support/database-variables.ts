import type { DatabaseUrls } from '../../src/system/migrate.ts';

/** The variables that tell a command or a daemon where the databases are. */
export function databaseVariables({ orders, payments, broker }: DatabaseUrls): Record<string, string> {
  return { ORDERS_DATABASE_URL: orders, PAYMENTS_DATABASE_URL: payments, BROKER_DATABASE_URL: broker };
}
