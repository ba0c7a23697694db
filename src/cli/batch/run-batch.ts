import { randomUUID } from 'node:crypto';
import { CodedError } from '../../platform/errors.ts';
import { type Argument, idempotencyKeyArgument, readArgument } from '../arguments.ts';
import type { TillboxCommand } from '../command.ts';
import { type Client, openClient } from '../gateway/client.ts';
import { ExitWith, problemOf, reportError } from '../report-error.ts';
import { visibleJson } from '../terminal/terminal-text.ts';
import { type Address, readBatchLine } from './batch-line.ts';
import { BatchConnections } from './connections.ts';
import { GatewayPresence } from './gateway-presence.ts';
import { workInOrder } from './in-order.ts';
import { type Line, linesIn } from './lines.ts';
import { BatchSender } from './sender.ts';

/** Lines under way at once when the user does not say: enough for the services to work on large sets. */
const inFlightDefault = 256;
const inFlightMax = 1_000;
/** Room in a key of 255 characters for the colon and a line's number. */
const keyCharactersMax = 235;
/** Of users and orders each, so many are remembered. */
const rememberedMax = 50;

const inFlightArgument: Argument<number> = {
  name: '--in-flight',
  field: 'in-flight',
  question: 'Lines under way at once',
  rule: `must be a whole number from 1 to ${inFlightMax}`,
  read: (text) => (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= inFlightMax ? Number(text) : undefined),
};

/** The options of a batch, as commander has them. */
export interface BatchOptions {
  batch?: boolean;
  inFlight?: string;
  idempotencyKey?: string;
}

/**
 * Writes what stdin says, one JSON object a line, and prints a line for each, in the same order: the answer, or
 * a problem document with the `line` it is about; for an empty line an empty one. A gateway that is away is told
 * once on stderr too.
 * @param batch.waitSeconds print each order once it is final, or after so many seconds; undefined to print it
 * as it was created
 * @throws ExitWith 1 when a line failed, 124 when only waits timed out
 */
export async function runBatch(
  command: TillboxCommand,
  options: BatchOptions,
  batch: { addressOf: Address; waitSeconds?: number | undefined },
): Promise<void> {
  if (command.args.length > 0) throw command.usageError('With --batch there are no arguments but stdin.');
  const inFlight =
    options.inFlight === undefined ? inFlightDefault : readArgument(inFlightArgument, options.inFlight);
  const key = batchKey(options.idempotencyKey);
  const client = await openClient(command);
  const { terminal } = client;
  if (process.stdin.isTTY) terminal.note('Reading one JSON object a line from the terminal; Ctrl-D ends.');
  const repetition = `Repeat all of it with --idempotency-key ${key}: what is done is not done a second time.`;
  client.interruptionNotice = repetition;
  const connections = new BatchConnections(client.gateway.access, {
    inFlight,
    holdsBack: batch.waitSeconds !== undefined,
  });
  const presence = watchedPresence(client, repetition);
  const stopped = terminal.closed;
  const sender = new BatchSender(connections, { waitSeconds: batch.waitSeconds, stopped, presence });
  const tally = new Tally();
  const work = async (line: Line): Promise<string> => {
    // So that the n-th line of the output is about the n-th of the input; readers of NDJSON skip it.
    if (line.text === '') return '';
    try {
      const { document, isLate } = await sender.send(readBatchLine(line, key, batch.addressOf));
      tally.count(isLate ? 'late' : 'done', document);
      return visibleJson(document);
    } catch (error) {
      tally.count('failed');
      return visibleJson({ ...problemOf(error), line: line.number });
    }
  };
  await workInOrder(untilStopped(stopped), { inFlight, work, output: process.stdout, stopped });
  presence.close();
  await connections.close();
  client.interruptionNotice = undefined;
  client.remember(tally);
  if (process.stderr.isTTY && !terminal.json) terminal.note(tally.summary());
  if (tally.failed > 0) throw new ExitWith(1);
  if (tally.late > 0) throw new ExitWith(124);
}

/** Tells on stderr, once for all lines, that the gateway is away and what to do. */
function watchedPresence({ gateway, terminal }: Client, repetition: string): GatewayPresence {
  return new GatewayPresence(gateway, {
    onAway: ({ code, message }) => {
      const error = new CodedError(code, `${message} Lines fail until it is back. ${repetition}`);
      reportError(error, { json: terminal.json, debug: false, stderr: process.stderr });
    },
    onBack: () => terminal.note('The gateway is back; lines are sent again.'),
  });
}

/** The key that those of the lines are made from: the user's, or a fresh one. */
function batchKey(given: string | undefined): string {
  if (given === undefined) return randomUUID();
  const key = readArgument(idempotencyKeyArgument, given);
  if (key.length <= keyCharactersMax) return key;
  const rule = `must be at most ${keyCharactersMax} characters with --batch: the number of each line is added`;
  throw new CodedError('validation-failed', `idempotency-key ${rule}. Nothing was sent.`, {
    fields: [{ field: 'idempotency-key', message: rule }],
  });
}

/** The lines of stdin. Once nobody wants more, none is waited for. */
async function* untilStopped(stopped: AbortSignal): AsyncGenerator<Line, void> {
  const { stdin } = process;
  const end = () => stdin.destroy();
  stopped.addEventListener('abort', end);
  try {
    yield* linesIn(stdin);
  } catch (error) {
    if (!stopped.aborted) throw error;
  } finally {
    stopped.removeEventListener('abort', end);
  }
}

/** What became of the lines, and some of whom and what they were about. */
class Tally {
  done = 0;
  failed = 0;
  late = 0;
  readonly #users = new Set<string>();
  readonly #orders = new Set<string>();
  readonly #since = performance.now();

  count(outcome: 'done' | 'failed' | 'late', document: { id?: unknown; user_id?: unknown } = {}): void {
    this[outcome] += 1;
    const { id, user_id: userId } = document;
    if (typeof userId === 'string' && this.#users.size < rememberedMax) this.#users.add(userId);
    if (typeof id === 'string' && 'status' in document && this.#orders.size < rememberedMax) {
      this.#orders.add(id);
    }
  }

  get users(): string[] {
    return [...this.#users];
  }

  get orders(): string[] {
    return [...this.#orders];
  }

  summary(): string {
    const seconds = (performance.now() - this.#since) / 1_000;
    const lines = this.done + this.failed + this.late;
    const others = [
      ...(this.failed > 0 ? [`${this.failed} failed`] : []),
      ...(this.late > 0 ? [`${this.late} not final in time`] : []),
    ];
    const rate = Math.round(lines / Math.max(seconds, 0.001));
    return [`${lines} lines in ${seconds.toFixed(1)} s, ${rate}/s`, ...others].join(', ');
  }
}
