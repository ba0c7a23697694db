import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Logger } from '../platform/logging.ts';
import { grantsFor } from './privileges.ts';
import { answerTo, type Login, readLogin, withLogin } from './role-login.ts';
import { scramVerifier } from './scram-verifier.ts';

/**
 * The roles tillbox logs in with. Each database has its own: a login for every duty, with the least
 * privileges it can do its work with. Name and password are kept in the table `tillbox.roles`, which the
 * administrator alone can read; so whoever has the administrator's URL has the way in, and nothing else has.
 */

/** Who logs in: the services, the broker, and a reader of everything. */
export const duties = ['orders', 'payments', 'broker', 'auditor'] as const;
export type Duty = (typeof duties)[number];

/** A service's transaction has a few statements with limits of their own; all together they may take so long. */
const transactionMsMax = 30_000;
/** The first version of Postgres that can limit a transaction. */
const limitsTransactionsSince = 170_000;
/** A password that is refused is read again; a rotation may come between, two hardly. */
const readsMax = 3;

/** Creates the table of roles, unless it is there. */
export async function createRolesTable(admin: pg.Client): Promise<void> {
  await admin.query(`
    create schema if not exists tillbox;
    create table if not exists tillbox.roles (
      duty text primary key,
      name text not null,
      password text not null,
      created_at timestamptz not null default now()
    );
    comment on table tillbox.roles is
      'The login of each service in this database. Only the administrator may read it.';
    revoke all on schema tillbox from public;
    revoke all on table tillbox.roles from public;`);
}

/**
 * Makes sure the role of a duty exists, with its password. Answers its name. Does so in a transaction of its own: who
 * reads the password meanwhile, or after an end half-way, reads the one that the server knows.
 * @param options.rotate gives it a new password. Connections that are open stay; whoever opens another one has to
 *   look the password up again.
 */
export async function ensureRole(
  admin: pg.Client,
  duty: Duty,
  options: { rotate: boolean },
): Promise<string> {
  await admin.query('begin');
  try {
    const name = await setRole(admin, duty, options);
    await admin.query('commit');
    return name;
  } catch (error) {
    await admin.query('rollback').catch(() => {});
    throw error;
  }
}

async function setRole(tx: pg.Client, duty: Duty, options: { rotate: boolean }): Promise<string> {
  const { rows } = await tx.query<{ name: string; password: string }>(
    `insert into tillbox.roles as known (duty, name, password) values ($1, $2, $3)
     on conflict (duty) do update set password = case when $4 then excluded.password else known.password end
     returning name, password`,
    [duty, roleName(await databaseOf(tx), duty), randomBytes(24).toString('base64url'), options.rotate],
  );
  const { name, password } = rows[0] as { name: string; password: string };
  const role = pg.escapeIdentifier(name);
  const exists = (await tx.query('select from pg_roles where rolname = $1', [name])).rowCount === 1;
  // The server gets a verifier, never the password, so that no server log can hold it.
  const verifier = pg.escapeLiteral(scramVerifier(password));
  await tx.query(`${exists ? 'alter' : 'create'} role ${role} with login noinherit password ${verifier}`);
  const isMember = await tx.query('select pg_has_role(current_user, $1, $2) as member', [name, 'member']);
  if (!isMember.rows[0].member) await tx.query(`grant ${role} to current_user`);
  await tx.query(`grant connect on database ${pg.escapeIdentifier(await databaseOf(tx))} to ${role}`);
  return name;
}

/** Gives a service's role what it needs in its schema, after the migrations, and nothing else. */
export async function grantService(
  admin: pg.Client,
  schema: 'orders' | 'payments',
  name: string,
): Promise<void> {
  const role = pg.escapeIdentifier(name);
  await admin.query(`
    revoke all on all tables in schema ${schema} from ${role};
    revoke all on schema ${schema} from public;
    grant usage on schema ${schema} to ${role};
    ${grantsFor(schema, role)}`);
  const version = await admin.query(`select current_setting('server_version_num')::int as number`);
  if (version.rows[0].number < limitsTransactionsSince) return;
  await admin.query(`alter role ${role} set transaction_timeout = ${transactionMsMax}`);
}

/** Lets the auditor read a schema, as it is and as it will grow; `owner` is whoever owns the schema. */
export async function grantAuditor(owner: pg.Client, schema: string, name: string): Promise<void> {
  const role = pg.escapeIdentifier(name);
  await owner.query(`
    grant usage on schema ${schema} to ${role};
    grant select on all tables in schema ${schema} to ${role};
    alter default privileges in schema ${schema} grant select on tables to ${role};`);
}

/**
 * The URL a duty logs in with, found by way of the administrator's URL. An URL that may not read the table
 * of roles is a role's own already, and is answered as it is. Only a server that asks the role for no password, but
 * for an operating-system user or a certificate perhaps, is reached with the administrator's login, which then takes
 * the role: never because a password is wrong, for whoever is given that login is an administrator.
 * @param patience how long each connection is waited for, if not as usual
 * @throws an error with code 28000 when there is no such role yet, 28P01 when the server refuses its password
 */
export async function roleUrl(
  url: string,
  duty: Duty,
  log: Logger,
  patience: { connectMs?: number } = {},
): Promise<string> {
  let refused: Login | undefined;
  for (let reads = 0; reads < readsMax; reads += 1) {
    const login = await readLogin(url, duty, patience);
    if (login === undefined) return url;
    // Only a rotation, which changes table and role at once, makes it worth another try.
    if (login.password === refused?.password) break;
    const own = withLogin(url, login.name, login.password);
    const answer = await answerTo(own, patience);
    if (answer === 'welcome') return own;
    if (answer === 'no-way-in' && login.may_log_in) {
      log.warn(
        { role: login.name },
        'the server asks the role for no password: taking the role after the login',
      );
      const assumed = new URL(url);
      assumed.searchParams.set('options', `-c role=${login.name}`);
      return assumed.href;
    }
    refused = login;
  }
  const message = `the server does not let ${refused?.name} in with the password in tillbox.roles; tillbox migrate sets it again`;
  throw Object.assign(new Error(message), { code: '28P01' });
}

async function databaseOf(admin: pg.Client): Promise<string> {
  const { rows } = await admin.query<{ name: string }>('select current_database() as name');
  return rows[0]?.name ?? '';
}

/** Roles belong to a whole server: the database's name in front keeps two tillboxes on it apart. */
function roleName(database: string, duty: Duty): string {
  if (Buffer.byteLength(database) <= 50) return `${database}_${duty}`;
  return `${createHash('sha256').update(database).digest('hex').slice(0, 40)}_${duty}`;
}
