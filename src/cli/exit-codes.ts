/** What each exit code says: `tillbox help exit-codes` prints this. */
export const exitCodes = {
  0: 'all went well',
  1: 'something unexpected: a bug; with --batch: a line failed',
  2: 'the command or its input was wrong; nothing was sent or stored',
  3: 'the order was canceled (create-order --wait)',
  4: 'not authorised',
  5: 'no such account, order, dead letter or route',
  6: 'in conflict with what is there: the account exists, the key was used, already running',
  7: 'the gateway or a database cannot be reached',
  8: 'a check failed (audit, load threshold, doctor, chaos)',
  124: 'the wait timed out',
  130: 'interrupted',
} as const;

/** An exit code of the command line. */
export type ExitCode = keyof typeof exitCodes;
