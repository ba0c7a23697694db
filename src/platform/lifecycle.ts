import type { CodedError } from './errors.ts';
import type { Logger } from './logging.ts';
import { isNotMigrated } from './postgres-errors.ts';

/** After SIGTERM a daemon is gone within this, even when a database hangs. Below the promised 10 s. */
const stopMsMax = 9_000;
const waitMsMin = 100;
const waitMsMax = 1_000;
const complaintIntervalMs = 5_000;

/** Something with a life that a process serves. */
export interface Daemon {
  /** Ends what is under way, refuses what is new; resolves when it is over. */
  stop(): Promise<void>;
}

/**
 * Lets a daemon live until SIGTERM, SIGINT, or the end of the supervisor that started it; then stops it and
 * exits 0, at the latest after nine seconds. A bug (an exception nobody caught) ends the process with 1: its
 * supervisor starts it again, and nothing is lost.
 */
export function liveUntilSignal(daemon: Daemon, log: Logger): void {
  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    const timer = setTimeout(() => {
      log.warn({ after_ms: stopMsMax }, 'gave up waiting, what was under way will be repeated');
      exit(log, 0);
    }, stopMsMax);
    daemon.stop().then(
      () => {
        clearTimeout(timer);
        log.info('stopped');
        exit(log, 0);
      },
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        exit(log, 1);
      },
    );
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.once('disconnect', () => stop('the supervisor is gone'));
  const crash = (error: unknown) => {
    log.fatal({ err: error }, 'bug: uncaught exception');
    exit(log, 1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}

function exit(log: Logger, code: number): void {
  // Lets the last lines out first.
  log.flush(() => process.exit(code));
  setTimeout(() => process.exit(code), 200).unref();
}

/**
 * Tries until it succeeds or is aborted, and says every few seconds what it waits for: daemons may be
 * started in any order, before their databases too.
 * @returns false when aborted first
 */
export async function waitUntilAvailable(
  what: string,
  attempt: () => Promise<void>,
  options: { log: Logger; signal: AbortSignal },
): Promise<boolean> {
  let complainedAt = Number.NEGATIVE_INFINITY;
  for (let waitMs = waitMsMin; !options.signal.aborted; waitMs = Math.min(waitMs * 2, waitMsMax)) {
    try {
      await attempt();
      return true;
    } catch (error) {
      if (performance.now() - complainedAt > complaintIntervalMs) {
        complainedAt = performance.now();
        const hint = isNotMigrated(error) ? 'run tillbox migrate' : undefined;
        options.log.info({ what, hint, err: error as CodedError }, 'waiting');
      }
      await pause(waitMs, options.signal);
    }
  }
  return false;
}

/** Resolves after so many milliseconds, or as soon as the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish);
  });
}
