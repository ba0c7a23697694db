import { type Logger, pino } from 'pino';
import type { LogLevel } from './log-levels.ts';

export type { Logger } from 'pino';

/**
 * A log of JSON lines on standard error: a constant message with fields, of a service and, where there are several
 * of it, an instance. Errors are reduced to type, code
 * and message, so that no payload, secret or URL gets in by way of an error's own fields.
 */
export function createLogger(service: string, level: LogLevel, instance?: string): Logger {
  // Whoever reads the log may go away first: its lines are lost then, and the daemon must still be able to end.
  // (pino's own destination would try to write them for ever when the process exits.)
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => {});
  const destination = { write: (line: string) => void process.stderr.write(line) };
  return pino(
    {
      level,
      base: { service, ...(instance === undefined ? {} : { instance }), pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination,
  );
}

/** What a log may know of an error. The stack is kept only for errors without a code: those are bugs. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return describeThrown(error);
  const code = 'code' in error ? error.code : undefined;
  const inner = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  const message = inner instanceof Error ? inner.message : error.message;
  return code === undefined
    ? { type: error.name, message, stack: error.stack }
    : { type: error.name, code, message };
}

/**
 * What is no Error: pg-boss tells of one by a copy of its fields, with message and stack. The same is taken of it as of
 * an Error, and of anything else its type alone.
 */
function describeThrown(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('message' in error)) return { type: typeof error };
  const { name, code, message, stack } = error as Record<string, unknown>;
  const type = typeof name === 'string' ? name : typeof error;
  if (typeof message !== 'string') return { type };
  return typeof code === 'string' ? { type, code, message } : { type, message, stack };
}
