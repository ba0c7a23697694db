import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Logger } from '../platform/logging.ts';
import { connectionOptions } from '../platform/postgres-connection.ts';
import { grantsFor } from './privileges.ts';

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
 * Makes sure the role of a duty exists, with its password. Answers its name.
 * @param options.rotate gives it a new password. Connections that are open stay; whoever opens another one has to
 *   look the password up again.
 */
export async function ensureRole(
  admin: pg.Client,
  duty: Duty,
  options: { rotate: boolean },
): Promise<string> {
  const { rows } = await admin.query<{ name: string }>(
    `insert into tillbox.roles as known (duty, name, password) values ($1, $2, $3)
     on conflict (duty) do update set password = case when $4 then excluded.password else known.password end
     returning name, password`,
    [duty, roleName(await databaseOf(admin), duty), randomBytes(24).toString('base64url'), options.rotate],
  );
  const { name, password } = rows[0] as { name: string; password: string };
  const role = pg.escapeIdentifier(name);
  const exists = (await admin.query('select from pg_roles where rolname = $1', [name])).rowCount === 1;
  // The server gets a verifier, never the password, so that no server log can hold it.
  const verifier = pg.escapeLiteral(scramVerifier(password));
  await admin.query(`${exists ? 'alter' : 'create'} role ${role} with login noinherit password ${verifier}`);
  const isMember = await admin.query('select pg_has_role(current_user, $1, $2) as member', [name, 'member']);
  if (!isMember.rows[0].member) await admin.query(`grant ${role} to current_user`);
  await admin.query(`grant connect on database ${pg.escapeIdentifier(await databaseOf(admin))} to ${role}`);
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
 * of roles is a role's own already, and is answered as it is.
 * @param patience how long each connection is waited for, if not as usual
 */
export async function roleUrl(
  url: string,
  duty: Duty,
  log: Logger,
  patience: { connectMs?: number } = {},
): Promise<string> {
  const client = new pg.Client(connectionOptions(url, 'tillbox role', patience));
  client.on('error', () => {});
  await client.connect();
  let login: { name: string; password: string } | undefined;
  try {
    const { rows } = await client.query('select name, password from tillbox.roles where duty = $1', [duty]);
    login = rows[0];
  } catch (error) {
    if ((error as { code?: string }).code === '42501') return url; // insufficient_privilege
    throw error;
  } finally {
    await client.end();
  }
  if (login === undefined) {
    throw Object.assign(new Error(`no role for ${duty} yet`), { code: '28000' });
  }
  const own = withLogin(url, login.name, login.password);
  if (await logsIn(own, patience)) return own;
  log.warn(
    { role: login.name },
    'the server refuses the password of the role: taking the role after the login',
  );
  const assumed = new URL(url);
  assumed.searchParams.set('options', `-c role=${login.name}`);
  return assumed.href;
}

/** Whether the server lets this login in; some accept only its own operating-system users. */
export async function logsIn(url: string, patience: { connectMs?: number } = {}): Promise<boolean> {
  const client = new pg.Client(connectionOptions(url, 'tillbox role', patience));
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    // invalid_authorization_specification, invalid_password
    if (['28000', '28P01'].includes((error as { code?: string }).code ?? '')) return false;
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

function withLogin(url: string, name: string, password: string): string {
  const own = new URL(url);
  if (own.hostname === '') {
    // A socket: credentials have no place before an empty host.
    own.searchParams.set('user', name);
    own.searchParams.set('password', password);
    return own.href;
  }
  own.username = encodeURIComponent(name);
  own.password = encodeURIComponent(password);
  return own.href;
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

/** What Postgres stores for a SCRAM-SHA-256 password (RFC 5803). */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
