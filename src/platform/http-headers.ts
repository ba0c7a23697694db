/** Request headers that carry meaning of ours. */

/** `Idempotency-Key`: the same key with the same request is done once. */
export const idempotencyKeySchema = {
  type: 'string',
  pattern: '^[!-~]{1,255}$',
  description: 'must be 1 to 255 visible ASCII characters',
  examples: ['0b9c7c8e-5d1f-4f57-8a0e-6b1f8f1f8d57'],
} as const;

/** Longest time an answer is held back for `Prefer: wait`. */
export const waitSecondsMax = 60;

/** `Prefer`, of which `wait=N` is known. No rule: a preference that is not understood is ignored. */
export const preferSchema = {
  type: 'string',
  description: `wait=N holds the answer back until the order is final, for N seconds and ${waitSecondsMax} at most (RFC 7240)`,
  examples: ['wait=10'],
} as const;

/** `Last-Event-ID`, which browsers send when they ask for a stream again. */
export const lastEventIdSchema = {
  type: 'string',
  description: 'is not needed: a stream always begins with how it stands now',
} as const;

/** Seconds in `Prefer: wait=N` (RFC 7240), at most 60; undefined without it. What is malformed is ignored. */
export function preferredWaitSeconds(header: string | string[] | undefined): number | undefined {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,10})"?\s*(?:$|[,;])/i.exec(text);
  return match === null ? undefined : Math.min(Number(match[1]), waitSecondsMax);
}
