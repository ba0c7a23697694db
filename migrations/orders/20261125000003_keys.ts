import type { Knex } from 'knex';

/** An order without an idempotency key takes no place in the index of keys: an index less to touch. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table orders.orders drop constraint orders_idempotency_key;
    create unique index orders_idempotency_key on orders.orders (user_id, idempotency_key)
      where idempotency_key is not null;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop index orders.orders_idempotency_key;
    alter table orders.orders add constraint orders_idempotency_key unique (user_id, idempotency_key);
  `);
}
