import type { TracesConfig } from '../../platform/telemetry/traces-config.ts';
import type { TillboxCommand } from '../command.ts';
import { ExitWith } from '../report-error.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** A person waits for the prompt: a collector that is away must not keep it back. */
const sendMsMax = 1_000;

/**
 * The trace that a command's requests belong to: that of TRACEPARENT. Where traces are sent to a collector, the
 * command is a span of it, or begins a trace; the span ends, and is sent, at the end of the command.
 */
export async function traceOfCommand(
  command: TillboxCommand,
  traces: TracesConfig,
  terminal: Terminal,
): Promise<string | undefined> {
  const program = command.parent as TillboxCommand | null;
  // The session of a person is no command: those that it runs are.
  if (!traces.otlp || program === null) return traces.traceparent;
  const { openTraces } = await import('../../platform/telemetry/traces.ts');
  const { resourceOf } = await import('../../platform/telemetry/telemetry.ts');
  const failed = () => terminal.note('The span of this command could not be sent to the collector.');
  const { spans, stop } = await openTraces(traces, await resourceOf('tillbox'), { failed, sendMsMax });
  const span = spans.begin(traces.traceparent, spans.now());
  program.atEnd = async (failure) => {
    const isFailure = failure !== undefined && !(failure instanceof ExitWith);
    const form = { name: command.fullName, kind: 'client', attributes: {} } as const;
    spans.end(span, form, isFailure ? { error: failure } : {});
    await stop();
  };
  return span.traceparent;
}
