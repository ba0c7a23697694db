import { readdir } from 'node:fs/promises';
import type { Knex } from 'knex';

/** The services that have migrations of their own, each in a folder and a schema of its name. */
export type MigratedSchema = 'orders' | 'payments';

/**
 * The migrations of a schema as a source for Knex. A migration is known by its name without an ending, so
 * that the TypeScript files and the compiled ones are the same migrations.
 */
export function migrationSource(schema: MigratedSchema): Knex.MigrationSource<string> {
  const folder = new URL(`../../migrations/${schema}/`, import.meta.url);
  return {
    async getMigrations() {
      const files = (await readdir(folder)).filter((file) => /(?<!\.d)\.[jt]s$/.test(file));
      return files.sort();
    },
    getMigrationName: (file) => file.replace(/\.[jt]s$/, ''),
    getMigration: (file) => import(new URL(file, folder).href),
  };
}

/** Knex settings for the migrations of one schema; `knexfile.ts` and `tillbox migrate` share them. */
export function knexConfig(schema: MigratedSchema, connection: string | undefined): Knex.Config {
  return {
    client: 'pg',
    ...(connection === undefined ? {} : { connection }),
    pool: { min: 0, max: 2, afterCreate: createSchema(schema) },
    migrations: { migrationSource: migrationSource(schema), schemaName: schema, tableName: 'migrations' },
  };
}

type AfterCreate = (error?: unknown) => void;

/** Knex keeps its own table in the schema, so the schema comes first. */
function createSchema(schema: MigratedSchema) {
  return (connection: { query(sql: string, done: AfterCreate): void }, done: AfterCreate) => {
    connection.query(`create schema if not exists ${schema}`, done);
  };
}
