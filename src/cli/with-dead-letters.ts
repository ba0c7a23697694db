import { readConfig } from '../platform/config.ts';
import { createLogger } from '../platform/logging.ts';
import { DeadLetters } from '../tools/dead-letters.ts';
import { withLogins } from '../tools/logins.ts';

/** Runs `work` with the dead letters, as the broker's role. Check what the user gave before: this connects. */
export async function withDeadLetters<Result>(
  work: (letters: DeadLetters) => Promise<Result>,
): Promise<Result> {
  const config = readConfig(process.env);
  const log = createLogger('dead-letters', config.logLevel);
  return withLogins({ config, duty: 'broker', databases: ['broker'], log }, async ({ broker }) => {
    const letters = new DeadLetters({ url: broker, log });
    try {
      return await work(letters);
    } finally {
      await letters.close();
    }
  });
}
