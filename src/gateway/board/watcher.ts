import type { ServerResponse } from 'node:http';

/** Who has read nothing for so long is not there any more. */
const stuckMsMax = 30_000;

/** Somebody who watches: one event stream. */
export class Watcher {
  readonly #response: ServerResponse;
  #stuckSince: number | undefined;

  /** @param response whose head is written */
  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /**
   * Sends an event; left out for who has not read those before, because the next one says it all. So a reader,
   * however slow, never makes the gateway hold more than one event.
   * @param now monotonic milliseconds
   */
  send(event: string, now: number): void {
    if (!this.#response.writableNeedDrain) {
      this.#stuckSince = undefined;
      this.#response.write(event);
      return;
    }
    this.#stuckSince ??= now;
    if (now - this.#stuckSince > stuckMsMax) this.#response.destroy();
  }

  end(): void {
    this.#response.end();
  }
}
