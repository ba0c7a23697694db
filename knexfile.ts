import { readConfig } from './src/platform/config.ts';
import { knexConfig } from './src/system/migrations.ts';

/**
 * For the knex command line: `npx knex --env orders migrate:status`. `tillbox migrate` runs the same
 * migrations, and besides them installs roles, privileges, queues.
 */
const { databaseUrls } = readConfig(process.env);

export default {
  orders: knexConfig('orders', databaseUrls.orders),
  payments: knexConfig('payments', databaseUrls.payments),
};
