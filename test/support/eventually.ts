import { setTimeout as sleep } from 'node:timers/promises';

/** Polls an assertion until it holds; throws its last failure when it does not by then. */
export async function eventually<Result>(
  assertion: () => Promise<Result> | Result,
  { withinMs = 20_000, everyMs = 20 } = {},
): Promise<Result> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(everyMs);
    }
  }
}
