/**
 * The one catalogue of errors a user can meet. Each has a stable code, an HTTP status, an exit code and a
 * title; the detail says what to do next. `http-server.ts` maps them to problem documents, the command
 * line maps them to exit codes; nothing else does either.
 */
export const errorCatalogue = {
  'validation-failed': { status: 400, exit: 2, title: 'The input breaks a rule' },
  'malformed-json': { status: 400, exit: 2, title: 'The body is not JSON' },
  'malformed-request': { status: 400, exit: 2, title: 'The request is not HTTP' },
  usage: { status: 400, exit: 2, title: 'The command was not understood' },
  unauthorized: { status: 401, exit: 4, title: 'Not authorised' },
  unauthenticated: { status: 401, exit: 4, title: 'Who asks is not known' },
  forbidden: { status: 403, exit: 4, title: 'This may not be asked' },
  'account-not-found': { status: 404, exit: 5, title: 'No such account' },
  'order-not-found': { status: 404, exit: 5, title: 'No such order' },
  'payment-not-found': { status: 404, exit: 5, title: 'No payment of this order yet' },
  'dead-letter-not-found': { status: 404, exit: 5, title: 'No such dead letter' },
  'route-not-found': { status: 404, exit: 5, title: 'No such route' },
  'method-not-allowed': { status: 405, exit: 2, title: 'The route exists, this method does not' },
  'request-timeout': { status: 408, exit: 7, title: 'The request did not arrive in time' },
  'account-exists': { status: 409, exit: 6, title: 'The account exists already' },
  'already-running': { status: 409, exit: 6, title: 'Already running' },
  conflict: { status: 409, exit: 6, title: 'In conflict with what is there' },
  'body-too-large': { status: 413, exit: 2, title: 'The body is too large' },
  'uri-too-long': { status: 414, exit: 2, title: 'The path is too long' },
  'unsupported-media-type': { status: 415, exit: 2, title: 'The body must be application/json' },
  'idempotency-key-reused': {
    status: 422,
    exit: 6,
    title: 'The idempotency key was used for another request',
  },
  'balance-limit': { status: 422, exit: 6, title: 'The balance would exceed what an account can hold' },
  misdirected: { status: 421, exit: 2, title: 'The request is for another host' },
  'rate-limited': { status: 429, exit: 7, title: 'Too many requests in too short a time' },
  'headers-too-large': { status: 431, exit: 2, title: 'The headers are too large' },
  internal: { status: 500, exit: 1, title: 'Something is wrong in tillbox' },
  unavailable: { status: 503, exit: 7, title: 'Something behind is away' },
  overloaded: { status: 503, exit: 7, title: 'More requests than can be taken' },
  'outcome-unknown': { status: 503, exit: 7, title: 'It is not known whether the request took effect' },
  'wait-timeout': { status: 504, exit: 124, title: 'The wait timed out' },
} as const satisfies Record<string, { status: number; exit: number; title: string }>;

/** A stable error code of the catalogue. */
export type ErrorCode = keyof typeof errorCatalogue;

/** One field that breaks a rule: its name, and the rule as a sentence. */
export interface FieldError {
  field: string;
  message: string;
}

/**
 * An error with a code of the catalogue. `message` is the detail: one or two sentences that say what is
 * wrong and what to do. Anything thrown that is not a CodedError is a bug and is reported as `internal`.
 */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly fields: readonly FieldError[];
  /** For 429 and 503: after how many seconds a retry makes sense. */
  readonly retryAfterSeconds: number | undefined;
  /** Further headers of the answer, such as `www-authenticate`. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    detail: string,
    options: {
      cause?: unknown;
      fields?: readonly FieldError[];
      retryAfterSeconds?: number;
      headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CodedError';
    this.code = code;
    this.fields = options.fields ?? [];
    this.headers = options.headers ?? {};
    this.retryAfterSeconds =
      options.retryAfterSeconds ?? (errorCatalogue[code].status === 503 ? 1 : undefined);
  }

  /** The exit code of the command line for this error. */
  get exitCode(): number {
    return errorCatalogue[this.code].exit;
  }
}
