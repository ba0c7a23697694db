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
  return formatMs(Math.max(0, Date.parse(toIso) - Date.parse(fromIso)));
}

/** Milliseconds for people: `23 ms`, `1.2 s`. */
export function formatMs(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** A time that has passed, for people, in its largest unit: `12 s`, `3 min`, `5 h`, `8 d`. */
export function formatAge(seconds: number): string {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
