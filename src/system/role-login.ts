import pg from 'pg';
import { connectionOptions } from '../platform/postgres-connection.ts';

/** A role as the table of roles has it, and whether the server knows it as one that may log in. */
export interface Login {
  name: string;
  password: string;
  may_log_in: boolean;
}

/**
 * Reads the login of a duty; undefined when this URL may not.
 * @param patience how long the connection is waited for, if not as usual
 * @throws an error with code 28000 when there is no such role yet
 */
export async function readLogin(
  url: string,
  duty: string,
  patience: { connectMs?: number },
): Promise<Login | undefined> {
  const client = new pg.Client(connectionOptions(url, 'tillbox role', patience));
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<Login>(
      `select name, password, coalesce(rolcanlogin, false) as may_log_in
         from tillbox.roles left join pg_roles on rolname = name
        where duty = $1`,
      [duty],
    );
    if (rows[0] !== undefined) return rows[0];
  } catch (error) {
    if ((error as { code?: string }).code === '42501') return undefined; // insufficient_privilege
    throw error;
  } finally {
    await client.end();
  }
  throw Object.assign(new Error(`no role for ${duty} yet`), { code: '28000' });
}

/** Whether the server lets this login in. */
export async function logsIn(url: string, patience: { connectMs?: number } = {}): Promise<boolean> {
  return (await answerTo(url, patience)) === 'welcome';
}

/**
 * What the server says to a login. `no-way-in`: its pg_hba.conf has no line by which this user may come with a
 * password; some servers accept only their own operating-system users. Any other error is thrown.
 */
export async function answerTo(
  url: string,
  patience: { connectMs?: number },
): Promise<'welcome' | 'wrong-password' | 'no-way-in'> {
  const client = new pg.Client(connectionOptions(url, 'tillbox role', patience));
  client.on('error', () => {});
  try {
    await client.connect();
    return 'welcome';
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === '28P01') return 'wrong-password'; // invalid_password
    if (code === '28000') return 'no-way-in'; // invalid_authorization_specification
    throw error;
  } finally {
    await client.end().catch(() => {});
  }
}

/** The URL with another login. */
export function withLogin(url: string, name: string, password: string): string {
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
