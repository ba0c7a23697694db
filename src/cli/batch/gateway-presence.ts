import { CodedError } from '../../platform/errors.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { tryOnce } from '../gateway/gateway-request.ts';

/** Between two looks whether a gateway that is away is back. */
const lookMs = 1_000;

/**
 * Whether the gateway is there, as far as the lines of a batch have found out. Once one has waited in vain, the
 * others need not: they fail at once, until everything is ready again.
 */
export class GatewayPresence {
  readonly #gateway: Gateway;
  readonly #onAway: (cause: CodedError) => void;
  readonly #onBack: () => void;
  #firstLook: Promise<void> | undefined;
  #away: AbortController = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** Told once each time the gateway goes, and comes back. */
  constructor(gateway: Gateway, told: { onAway: (cause: CodedError) => void; onBack: () => void }) {
    this.#gateway = gateway;
    this.#onAway = told.onAway;
    this.#onBack = told.onBack;
  }

  /** Aborts when the gateway is given up; has aborted while it is away. */
  get away(): AbortSignal {
    return this.#away.signal;
  }

  /** Resolves once it is known whether there is a gateway at all: one that was never there is not waited for. */
  firstLook(): Promise<void> {
    this.#firstLook ??= this.#gateway.get('/livez').then(
      () => {},
      (error: unknown) => {
        // What is refused is told by each line for itself.
        if (!(error instanceof CodedError)) throw error;
        if (error.exitCode === 7) this.giveUp(error);
      },
    );
    return this.#firstLook;
  }

  /** Takes the gateway for away, because of this, until it says that it is ready. */
  giveUp(cause: CodedError): void {
    if (this.#away.signal.aborted) return;
    this.#away.abort();
    this.#onAway(cause);
    this.#lookLater();
  }

  /** Looks no more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookLater(): void {
    this.#timer = setTimeout(async () => {
      const { kind } = await tryOnce(this.#gateway.access, { method: 'GET', path: '/readyz' });
      if (this.#timer === undefined) return;
      if (kind !== 'answered') return this.#lookLater();
      this.#away = new AbortController();
      this.#onBack();
    }, lookMs);
    // Nobody stays for it.
    this.#timer.unref();
  }
}
