/** Requests that may wait in the inbox before receiving pauses: some passes of step 4. */
const waitingMax = 4_000;
/** Longest pause, in milliseconds: well below the lease of the job whose messages were received. */
const pauseMsMax = 5_000;

/**
 * Back-pressure from step 4 to step 3: a long backlog waits in the broker's queue, where everybody can see it,
 * and not in the inbox. It counts what this process received and decides; a pass that finds less than it could
 * take says that nothing waits.
 */
export class InboxPressure {
  #waiting = 0;
  #resume: (() => void)[] = [];

  /** Says that so many requests went into the inbox. */
  received(count: number): void {
    this.#waiting += count;
  }

  /** Says what a pass of step 4 decided, and whether it left more. */
  decided(count: number, { more }: { more: boolean }): void {
    this.#waiting = more ? Math.max(0, this.#waiting - count) : 0;
    if (this.#waiting > waitingMax) return;
    for (const resume of this.#resume.splice(0)) resume();
  }

  /** Resolves when the inbox has room, at the latest after five seconds. */
  async untilRoom(): Promise<void> {
    if (this.#waiting <= waitingMax) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMsMax);
      this.#resume.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
