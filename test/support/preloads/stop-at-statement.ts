import { readFileSync, rmSync } from 'node:fs';
import pg from 'pg';

/**
 * Loaded before a daemon: it stops itself (SIGSTOP) at a statement. The file TEST_STOP says at which:
 * `{"text", "after"?, "when": "before" | "done"}`; a connection must have sent `after` before. Once.
 */

const path = process.env['TEST_STOP'] ?? '';
const sent = new WeakMap<object, string>();
const textsMax = 4_000;

interface Stop {
  text: string;
  after?: string;
  when: 'before' | 'done';
}

function wanted(): Stop | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function stop(): void {
  rmSync(path, { force: true });
  process.kill(process.pid, 'SIGSTOP');
}

type Query = (this: object, ...args: unknown[]) => unknown;
const query = pg.Client.prototype.query as unknown as Query;

pg.Client.prototype.query = function (this: object, ...args: unknown[]) {
  const [config] = args;
  const { name, text } =
    typeof config === 'string' ? { name: undefined, text: config } : (config as Stop & { name?: string });
  const label = `${name ?? ''} ${text ?? ''}`;
  const before = sent.get(this) ?? '';
  sent.set(this, label.startsWith(' begin') ? '' : (before + label).slice(-textsMax));
  const stopHere = wanted();
  const struck =
    stopHere !== undefined &&
    label.includes(stopHere.text) &&
    (stopHere.after === undefined || before.includes(stopHere.after));
  if (struck && stopHere.when === 'before') stop();
  const callbackAt = args.findIndex((argument) => typeof argument === 'function');
  if (struck && stopHere.when === 'done' && callbackAt >= 0) {
    const callback = args[callbackAt] as (...answer: unknown[]) => void;
    args[callbackAt] = (...answer: unknown[]) => {
      if (!answer[0]) stop();
      callback(...answer);
    };
  }
  const result = query.apply(this, args);
  if (struck && stopHere.when === 'done' && result instanceof Promise) void result.then(stop, () => {});
  return result;
} as unknown as typeof pg.Client.prototype.query;
