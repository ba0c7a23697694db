/**
 * The same work, under way at most once: whoever asks meanwhile gets the result of the one that has begun, whatever the
 * arguments, and nothing piles up behind it when it hangs.
 */
export function oneAtATime<Arguments extends unknown[], Result>(
  work: (...args: Arguments) => Promise<Result>,
): (...args: Arguments) => Promise<Result> {
  let underWay: Promise<Result> | undefined;
  return (...args) => {
    underWay ??= work(...args).finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}
