import { visible } from './terminal-text.ts';

/** Fields every line has; what is left over is shown behind the message. */
const known = new Set(['level', 'time', 'service', 'instance', 'pid', 'msg']);

/** A daemon's JSON log line as a person reads it, under the daemon's name. What is no JSON is shown as it is. */
export function formatLogLine(name: string, line: string): string {
  const head = `${name.padEnd(10)} │`;
  const record = parse(line);
  if (record === undefined) return `${head} ${visible(line)}`;
  const time = typeof record['time'] === 'string' ? new Date(record['time']).toTimeString().slice(0, 8) : '';
  const level = record['level'] === 'info' ? '' : ` ${String(record['level']).toUpperCase()}`;
  const fields = Object.entries(record)
    .filter(([key]) => !known.has(key))
    .map(([key, value]) => `${key}=${describe(value)}`);
  return visible(
    [head, ` ${time}${level}`, ` ${record['msg'] ?? ''}`, ...fields.map((field) => `  ${field}`)].join(''),
  );
}

/** Whether a line is one of a daemon's JSON log. */
export function isLogRecord(line: string): boolean {
  return parse(line) !== undefined;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) return String(value.message);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
