import type { Tracer } from '../tools/trace/trace.ts';
import type { TraceDocument } from '../tools/trace/trace-document.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

/** Pause between two looks of `--follow`. */
const followMs = 250;
/** The same while no database is there. */
const awayMs = 2_000;

/** `tillbox trace ID`: the whole way of an order. */
export function addTrace(program: TillboxCommand): void {
  program
    .command('trace')
    .description("Show an order's whole way: each step with its time, and where it stands and why.")
    .usage('ID [--follow] [options]')
    .argument('[id]', 'the order, as create-order and orders print it')
    .option('--follow', 'go on until it is final; with --json a line whenever something happened')
    .helped(
      [
        'trace 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
        'trace 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65 --follow --json',
      ],
      [5, 7, 130],
    )
    .explained(explanation)
    .action(run);
}

const explanation = `\
It is read from the databases, by a role that can only read; nothing is recorded for it, so it tells what
is still there: the broker keeps done jobs for an hour, the inbox for days, orders and decisions for ever.
When a database is away it prints what the others know, and exits with 7.`;

async function run(id: string | undefined, options: { follow?: boolean }, command: TillboxCommand) {
  const { readConfig } = await import('../platform/config.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { instancesHealth } = await import('../system/instances-health.ts');
  const { readRuntime } = await import('../system/runtime-file.ts');
  const { withDatabases } = await import('../system/with-databases.ts');
  const { Tracer } = await import('../tools/trace/trace.ts');
  const { orderIdArgument, requireArgument } = await import('./arguments.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const terminal = await openTerminal(command);
  const orderId = await requireArgument(orderIdArgument, id, { terminal, command });
  const config = readConfig(process.env);
  const log = createLogger('trace', config.logLevel);
  await withDatabases(config, async (urls) => {
    const askHealth = () => instancesHealth(readRuntime(config.home), config);
    const tracer = new Tracer({ urls, log, askHealth });
    try {
      await (options.follow === true ? follow : show)(tracer, orderId, terminal);
    } finally {
      await tracer.close();
    }
  });
}

async function show(tracer: Tracer, orderId: string, terminal: Terminal): Promise<void> {
  const { formatTrace } = await import('./terminal/trace-text.ts');
  const document = await tracer.trace(orderId);
  terminal.result(document, () => formatTrace(document, terminal));
  await judge(document);
}

/** What is missing from a document decides the exit code: everything else has been printed. */
async function judge({ order, order_id, away }: TraceDocument): Promise<void> {
  const { CodedError } = await import('../platform/errors.ts');
  if (away.length > 0) {
    const what = away.map(({ database, message }) => `${database} (${message})`).join(', ');
    const detail = `Not all could be read: ${what}. See: tillbox status`;
    throw new CodedError('unavailable', detail);
  }
  if (order === null) {
    throw new CodedError('order-not-found', `Orders has no order ${order_id}. See: tillbox audit`);
  }
}

/** Looks again and again until the order is final, Ctrl-C, or nobody reads any more. */
async function follow(tracer: Tracer, orderId: string, terminal: Terminal): Promise<void> {
  const { pause } = await import('../platform/lifecycle.ts');
  const { CodedError } = await import('../platform/errors.ts');
  const { FollowedTrace } = await import('./terminal/followed-trace.ts');
  const { ExitWith } = await import('./report-error.ts');
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const ended = AbortSignal.any([interrupted.signal, terminal.closed]);
  const followed = new FollowedTrace(terminal);
  for (let looks = 1; !ended.aborted; looks += 1) {
    const document = await tracer.trace(orderId).catch((error: unknown) => {
      // Databases that go away meanwhile are waited for.
      if (looks === 1 || !(error instanceof CodedError) || error.exitCode !== 7) throw error;
      terminal.note(error.message);
      return pause(awayMs, ended);
    });
    if (document === undefined) continue;
    const news = followed.news(document);
    if (news !== undefined) terminal.streamed(document, () => news);
    if (document.final) return;
    if (document.order === null) await judge(document);
    await pause(followMs, ended);
  }
  if (interrupted.signal.aborted) throw new ExitWith(130);
}
