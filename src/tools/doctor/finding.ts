/** What was looked at, in the order of the report. */
export const groups = [
  'machine',
  'home',
  'ports',
  'databases',
  'migrations',
  'privileges',
  'queues',
  'retention',
  'gateway',
] as const;
export type Group = (typeof groups)[number];

/** A warning is worth a look, and nothing promised is in danger; a failure needs somebody to act. */
export type Level = 'ok' | 'warning' | 'failure';

/** What one check has found. */
export interface Finding {
  /** What was checked, in a word or two; the same at every run. */
  check: string;
  level: Level;
  /** What was found, as a sentence. */
  detail: string;
  /** What to do about it: a command, a statement or a setting. Null when all is well. */
  remedy: string | null;
}

/** All is well. */
export function ok(check: string, detail: string): Finding {
  return { check, level: 'ok', detail, remedy: null };
}

/** Worth a look. */
export function warning(check: string, detail: string, remedy: string): Finding {
  return { check, level: 'warning', detail, remedy };
}

/** Somebody has to act. */
export function failure(check: string, detail: string, remedy: string): Finding {
  return { check, level: 'failure', detail, remedy };
}
