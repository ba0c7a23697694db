import { escapeHtml } from '../../platform/html.ts';
import type { Bin } from './latencies.ts';

/** Charts as inline SVG, whose colours are CSS classes of the page: `s0`, `s1`, … for the series. */

/** A line of a chart; a value that is null leaves a gap. */
export interface Series {
  name: string;
  points: readonly (readonly [x: number, y: number | null])[];
}

/** In units of the drawing, which is as wide as the page lets it be. */
const width = 480;
const height = 220;
const margin = { left: 52, right: 10, top: 10, bottom: 26 };
const plotWidth = width - margin.left - margin.right;
const plotHeight = height - margin.top - margin.bottom;

/** Lines over the seconds of a run, from zero upwards. */
export function lineChart(label: string, unit: string, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points);
  const xMax = Math.max(0.001, ...points.map(([x]) => x));
  const yTicks = ticksUpTo(Math.max(...points.map(([, y]) => y ?? 0)));
  const yMax = yTicks.at(-1) ?? 1;
  const x = (value: number) => margin.left + (value / xMax) * plotWidth;
  const y = (value: number) => margin.top + plotHeight - (value / yMax) * plotHeight;
  const xTicks = ticksUpTo(xMax).filter((tick) => tick <= xMax);
  const grid = [
    ...yTicks.map((tick) => horizontal(y(tick), shortNumber(tick))),
    ...xTicks.map((tick) => text(x(tick), height - 8, `${shortNumber(tick)} s`, 'middle')),
  ];
  const lines = series.map((one, index) => `<path class="line s${index}" d="${pathOf(one.points, x, y)}"/>`);
  return figure({ label, unit, names: series.map(({ name }) => name), content: [...grid, ...lines] });
}

/** A distribution, a bar a bin. */
export function barChart(label: string, bins: readonly Bin[], seriesIndex: number): string {
  const yTicks = ticksUpTo(Math.max(1, ...bins.map(({ count }) => count)));
  const yMax = yTicks.at(-1) ?? 1;
  const y = (value: number) => margin.top + plotHeight - (value / yMax) * plotHeight;
  const step = plotWidth / Math.max(1, bins.length);
  const grid = yTicks.map((tick) => horizontal(y(tick), shortNumber(tick)));
  const bars = bins.flatMap(({ count, toMs, fromMs }, index) => {
    const left = margin.left + index * step;
    const name = toMs === null ? `>${shortNumber(fromMs)}` : `≤${shortNumber(toMs)}`;
    const bar = `<rect class="bar s${seriesIndex}" x="${fixed(left + step * 0.1)}" width="${fixed(step * 0.8)}" y="${fixed(y(count))}" height="${fixed(y(0) - y(count))}"><title>${name} ms: ${count}</title></rect>`;
    return [bar, text(left + step / 2, height - 8, name, 'middle')];
  });
  return figure({ label, unit: 'orders, by milliseconds', names: [], content: [...grid, ...bars] });
}

function figure(parts: { label: string; unit: string; names: string[]; content: string[] }): string {
  const { label, unit, names, content } = parts;
  const legend = names
    .map((name, index) => `<span class="key"><i class="s${index}"></i>${escapeHtml(name)}</span>`)
    .join('');
  return `<figure><figcaption><b>${escapeHtml(label)}</b> <small>${escapeHtml(unit)}</small> ${legend}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${label}, ${unit}`)}">${content.join('')}</svg></figure>`;
}

/** A path that begins anew behind each gap; a point between two gaps is a short dash. */
function pathOf(
  points: Series['points'],
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  let path = '';
  let isOpen = false;
  for (const [seconds, value] of points) {
    if (value !== null) path += `${isOpen ? 'L' : 'M'}${fixed(x(seconds))} ${fixed(y(value))}`;
    if (value !== null && !isOpen) path += 'h0.5';
    isOpen = value !== null;
  }
  return path;
}

function horizontal(y: number, label: string): string {
  const line = `<path class="grid" d="M${margin.left} ${fixed(y)}H${width - margin.right}"/>`;
  return `${line}${text(margin.left - 6, y + 4, label, 'end')}`;
}

function text(x: number, y: number, label: string, anchor: 'middle' | 'end'): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escapeHtml(label)}</text>`;
}

/** Round numbers from 0 to at least `max`, four to six of them. */
export function ticksUpTo(max: number): number[] {
  const wanted = Math.max(max, 1e-6) / 4;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step =
    [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= wanted * 0.999) ?? wanted;
  const count = Math.max(1, Math.ceil(max / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

function shortNumber(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))}M`;
  return value >= 10_000
    ? `${Number((value / 1_000).toPrecision(3))}k`
    : String(Number(value.toPrecision(4)));
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}
