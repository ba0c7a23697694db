import { CodedError, errorCatalogue } from '../platform/errors.ts';
import { GatewayProblem } from './gateway/gateway-problem.ts';
import { visible, visibleJson } from './terminal/terminal-text.ts';

/** Ends a command with an exit code and nothing more to say: everything has been printed. */
export class ExitWith extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/**
 * Prints an error for a person, or with `json` as one line with a problem document; never a stack trace,
 * unless `debug`.
 * @returns the exit code
 */
export function reportError(
  error: unknown,
  options: { json: boolean; debug: boolean; stderr: { write(text: string): unknown } },
): number {
  if (error instanceof ExitWith) return error.exitCode;
  // A question was left with Ctrl-C.
  if (error instanceof Error && error.name === 'ExitPromptError') return 130;
  const coded = codedOf(error);
  options.stderr.write(`${options.json ? visibleJson(problemOf(coded)) : textOf(coded)}\n`);
  if (options.debug && error instanceof Error) options.stderr.write(`${error.stack}\n`);
  return coded.exitCode;
}

function textOf(error: CodedError): string {
  // A gateway's sentence is one line, whatever is in it; our own may have several.
  const lines = error instanceof GatewayProblem ? [error.message] : error.message.split('\n');
  const requestId = error instanceof GatewayProblem ? error.problem.request_id : undefined;
  const reference = error.code === 'internal' && requestId !== undefined ? ` (request ${requestId})` : '';
  return `tillbox: ${lines.map(visible).join('\n')}${visible(reference)}`;
}

/** The gateway's problem document as it came; for an error found here, one of the same form. */
export function problemOf(cause: unknown): object {
  const error = codedOf(cause);
  if (error instanceof GatewayProblem) return error.problem;
  return {
    type: `urn:tillbox:problem:${error.code}`,
    title: errorCatalogue[error.code].title,
    code: error.code,
    detail: error.message,
    ...(error.fields.length > 0 ? { errors: error.fields } : {}),
  };
}

function codedOf(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const detail = `Something unexpected happened: ${message}\nThis is a bug. TILLBOX_LOG_LEVEL=debug shows where.`;
  return new CodedError('internal', detail, { cause: error });
}
