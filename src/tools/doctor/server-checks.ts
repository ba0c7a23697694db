import type { RequiredConnections } from './connection-budget.ts';
import { checkConnectionBudget } from './connection-budget.ts';
import type { ExaminedDatabase } from './examined-databases.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

const oldestVersion = 150_000;
/** Of what is measured: a clock further off than this is noticed by people who compare times. */
const clockWarningMs = 1_000;
/** Ids carry the time of the machine, and keys are forgotten by it: this far off, long before or after their time. */
const clockFailureMs = 3_600_000;
/** The shortest of so many round trips is the least uncertain. */
const clockSamples = 5;

/** What a server says of itself. */
export interface ServerFacts {
  version: string;
  version_number: number;
  standby: boolean;
  fsync: string;
  synchronous_commit: string;
  full_page_writes: string;
  max_connections: number;
  reserved_connections: number;
  /** Sessions of other programs. */
  others: number;
  /** The same for two databases of one server. */
  started: string;
}

/** Versions, durability and clocks of each server, and whether it has room for the daemons' connections. */
export async function checkServers(
  databases: readonly ExaminedDatabase[],
  required: RequiredConnections,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const byServer = new Map<string, { facts: ServerFacts; databases: ExaminedDatabase[] }>();
  for (const database of databases) {
    const facts = await readFacts(database);
    const server = byServer.get(facts.started);
    if (server === undefined) byServer.set(facts.started, { facts, databases: [database] });
    else server.databases.push(database);
  }
  for (const { facts, databases: own } of byServer.values()) {
    const label = byServer.size === 1 ? '' : ` of ${own.map(({ label }) => label).join(', ')}`;
    const [first] = own as [ExaminedDatabase];
    findings.push(
      checkVersion(label, facts),
      checkDurability(label, facts),
      await checkClock(label, first),
      checkConnectionBudget(
        label,
        facts,
        own.flatMap(({ names }) => names),
        required,
      ),
    );
  }
  return findings;
}

async function readFacts({ client }: ExaminedDatabase): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(
    `select current_setting('server_version') as version,
       current_setting('server_version_num')::int as version_number,
       pg_is_in_recovery() as standby,
       current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('full_page_writes') as full_page_writes,
       current_setting('max_connections')::int as max_connections,
       current_setting('superuser_reserved_connections')::int
         + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved_connections,
       (select count(*)::int from pg_stat_activity
        where coalesce(backend_type, 'client backend') = 'client backend' and datid is not null
          and application_name not like 'tillbox%') as others,
       pg_postmaster_start_time()::text as started`,
  );
  return rows[0] as ServerFacts;
}

function checkVersion(label: string, { version, version_number, standby }: ServerFacts): Finding {
  const check = `version${label}`;
  if (version_number < oldestVersion)
    return failure(check, `Postgres ${version} is too old.`, 'Upgrade it to 15 or later');
  if (standby) {
    return failure(
      check,
      `Postgres ${version} is a standby, which cannot be written.`,
      'Set the database URL to the primary server, or promote this one',
    );
  }
  return ok(check, `Postgres ${version}.`);
}

/** With one of these off, a crash of the server may lose what was acknowledged, or damage its files. */
function checkDurability(label: string, facts: ServerFacts): Finding {
  const off = (['fsync', 'synchronous_commit', 'full_page_writes'] as const).filter(
    (name) => facts[name] === 'off',
  );
  const check = `durability${label}`;
  if (off.length === 0) return ok(check, 'An acknowledged commit survives a crash of the server.');
  return warning(
    check,
    `${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off: a crash of the server may lose what was acknowledged.`,
    `${off.map((name) => `alter system set ${name} = on;`).join(' ')} select pg_reload_conf();`,
  );
}

async function checkClock(label: string, { client }: ExaminedDatabase): Promise<Finding> {
  let best = { offMs: 0, roundTripMs: Number.POSITIVE_INFINITY };
  for (let sample = 0; sample < clockSamples; sample += 1) {
    const before = Date.now();
    const startedAt = performance.now();
    const { rows } = await client.query<{ ms: string }>(
      `select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`,
    );
    const roundTripMs = performance.now() - startedAt;
    const offMs = Number(rows[0]?.ms) - (before + roundTripMs / 2);
    if (roundTripMs < best.roundTripMs) best = { offMs, roundTripMs };
  }
  const check = `clock${label}`;
  const offMs = Math.abs(best.offMs);
  const off = offMs < 1_000 ? `${Math.round(offMs)} ms` : `${(offMs / 1_000).toFixed(1)} s`;
  const detail = `Its clock and this machine's are ${off} apart (give or take ${Math.ceil(best.roundTripMs / 2)} ms).`;
  const remedy = 'Let both follow a time server: timedatectl set-ntp true';
  if (offMs - best.roundTripMs / 2 > clockFailureMs) return failure(check, detail, remedy);
  return offMs - best.roundTripMs / 2 > clockWarningMs ? warning(check, detail, remedy) : ok(check, detail);
}
