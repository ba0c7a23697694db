import { setTimeout as sleep } from 'node:timers/promises';
import { credentialHeader } from '../../../src/platform/identity/gateway-credential.ts';
import { testSecret } from '../../support/tokens.ts';

/** How long a client goes on repeating one request: longer than a daemon is away in the worst case. */
const patienceMs = 40_000;
const pauseMs = 50;

/** What a service answered to a write. */
export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/**
 * Sends a write until it is answered, always under the same idempotency key, as a careful client does.
 * Throws when it is refused for good, or patience ends.
 */
export async function writeUntilAnswered(url: string, body: object, key: string): Promise<Answer> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await writeOnce(url, body, key);
    if (answer !== undefined && answer.status < 500) {
      if (answer.status === 201) return answer;
      throw new Error(`${url} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    if (performance.now() > deadline) {
      throw new Error(`${url} gave no answer in ${patienceMs / 1_000} s: ${JSON.stringify(answer)}`);
    }
    await sleep(pauseMs);
  }
}

/** Sends a write once, as the gateway would. Undefined when there was no answer: it may have happened. */
export async function writeOnce(url: string, body: object, key?: string): Promise<Answer | undefined> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [credentialHeader]: testSecret,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  } catch {
    return undefined;
  }
}
