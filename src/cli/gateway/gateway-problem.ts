import { CodedError, type ErrorCode, errorCatalogue } from '../../platform/errors.ts';

/** A problem document as the gateway answers it. Nothing in it is certain but that it is an object. */
export interface ProblemDocument {
  code?: unknown;
  detail?: unknown;
  title?: unknown;
  request_id?: unknown;
  [name: string]: unknown;
}

/** A refusal by the gateway; `problem` is its answer as it came. */
export class GatewayProblem extends CodedError {
  readonly problem: ProblemDocument;

  constructor(status: number, problem: ProblemDocument) {
    const detail = typeof problem.detail === 'string' ? problem.detail : problem.title;
    super(codeOf(status, problem.code), String(detail ?? `The gateway answered ${status}.`));
    this.problem = problem;
  }
}

/** The problem's code; for one that this version does not know, the first with the same status. */
function codeOf(status: number, code: unknown): ErrorCode {
  if (typeof code === 'string' && Object.hasOwn(errorCatalogue, code)) return code as ErrorCode;
  const codes = Object.keys(errorCatalogue) as ErrorCode[];
  return codes.find((candidate) => errorCatalogue[candidate].status === status) ?? 'internal';
}
