/** A moment for people: local date and time to the second, such as `2026-01-31 12:00:00`. */
export function formatLocalTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return '?';
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** A moment for people where there is little room: the time when it is of today (of `now`), else the date. */
export function formatShortTime(iso: string, now: Date): string {
  const [date = '', time = ''] = formatLocalTime(iso).split(' ');
  return date === formatLocalTime(now.toISOString()).split(' ')[0] ? time : date;
}

/** The time between two moments for people: `23 ms`, `1.2 s`. */
export function formatElapsed(fromIso: string, toIso: string): string {
  const ms = Math.max(0, Date.parse(toIso) - Date.parse(fromIso));
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
