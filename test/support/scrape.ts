/** One line of a Prometheus answer. */
export interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The series of an answer in Prometheus's text format. */
export function seriesIn(text: string): Series[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name = '', inner = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const labels = Object.fromEntries(
      [...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', label = '']) => [key, label]),
    );
    return { name, labels, value: Number(value) };
  });
}

/** Reads a daemon's metrics; `of` sums the series of a name that have these labels, NaN when there is none. */
export async function scrape(url: string) {
  const series = seriesIn(await (await fetch(url)).text());
  const of = (name: string, labels: Record<string, string> = {}): number => {
    const found = series.filter(
      (one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
    );
    return found.length === 0 ? Number.NaN : found.reduce((sum, { value }) => sum + value, 0);
  };
  return { series, of };
}
