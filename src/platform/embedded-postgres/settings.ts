import { totalmem } from 'node:os';

/** Where the embedded server listens: reachable from this machine only. */
export const serverHost = '127.0.0.1';

/** One mebibyte in bytes. */
const mib = 2 ** 20;

/**
 * The whole configuration file of the embedded server: rewritten at every start, so that an upgrade takes
 * effect. What `ALTER SYSTEM` sets still wins over it. The port is given on the command line.
 *
 * @param options.fsync `false` trades durability for speed: for tests only.
 * @param options.settings further settings, by name, which win over ours.
 */
export function serverSettings(options: { fsync: boolean; settings: Record<string, string> }): string {
  const settings: Record<string, string> = {
    listen_addresses: serverHost,
    // In the data folder; relative, so that its path never exceeds the 107 bytes a socket address can hold.
    unix_socket_directories: '.',
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    // A daemon opens up to nine, its own and the broker's: room for eight of each, and for the tools.
    max_connections: '250',

    // Durability: an acknowledged commit survives kill -9 and power loss.
    fsync: options.fsync ? 'on' : 'off',
    full_page_writes: options.fsync ? 'on' : 'off',
    synchronous_commit: 'on',
    // The only method on macOS that reaches the disk and not only its cache.
    ...(process.platform === 'darwin' && options.fsync ? { wal_sync_method: 'fsync_writethrough' } : {}),

    shared_buffers: `${sharedBuffersMb(memoryBytes())}MB`,
    // Checkpoints are rare and spread out, because after each one every page is logged whole once more. The
    // price is disk space and a longer recovery after a crash, bounded by 4 GB of log.
    max_wal_size: '4GB',
    min_wal_size: '256MB',
    checkpoint_timeout: '15min',
    checkpoint_completion_target: '0.9',
    // Those whole pages are written as they are: compressing one costs ten times what writing it does, and with
    // millions of orders, whose indexes are touched all over, it halved the rate after each checkpoint.
    wal_compression: 'off',

    // Queue-like tables turn over in seconds: look every 10 s, not every minute, and never wait in between.
    autovacuum_naptime: '10s',
    autovacuum_max_workers: '3',
    autovacuum_vacuum_cost_delay: '0',
    // Statements here are short: compiling one would take longer than running it.
    jit: 'off',
    // Parallel plans need room in /dev/shm, which containers keep at 64 MB, and the daemons want those cores.
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',

    // Starts, stops and crashes. Errors of statements are reported by those who sent them; here they would
    // only repeat values that no log may hold.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
    log_autovacuum_min_duration: '-1',
    log_line_prefix: '%m [%p] ',
    log_timezone: 'UTC',
    timezone: 'UTC',
    datestyle: 'iso, ymd',
    lc_messages: 'C',
    default_text_search_config: 'pg_catalog.simple',
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return ['# Written by tillbox at every start; changes here are lost.', ...lines, ''].join('\n');
}

/**
 * An eighth of the memory, for the pages of indexes that orders touch all over; no more than does good here, and
 * never a large share of a small machine. What is not used is not taken.
 */
function sharedBuffersMb(memory: number): number {
  return Math.min(1024, Math.max(64, Math.floor(memory / 8 / mib)));
}

/** What this process may use: of the machine, or of its container where that is less. */
function memoryBytes(): number {
  const container = process.constrainedMemory();
  return container > 0 ? Math.min(container, totalmem()) : totalmem();
}
