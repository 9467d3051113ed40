// A chart of any result: over time where it has a time, else a bar for each row.

import type { Value } from '../api/exact.ts';
import type { Column } from '../api/types.ts';
import { cell, isDate, isNumeric, isTime } from '../format/cells.ts';
import { parseTime } from '../format/time.ts';
import type { PlotData } from '../parts/uplot.ts';

const mostSeries = 6;
const mostBars = 40;

/** The chart, or why there is none. */
export function chartOf(columns: Column[], rows: Value[][]): PlotData | string {
  if (rows.length === 0) return 'There are no rows to draw.';
  const numbers = columns.flatMap((c, i) => (isNumeric(c.type) ? [i] : []));
  if (numbers.length === 0) return 'A chart needs a column of numbers, such as count().';
  const time = columns.findIndex((c) => isTime(c.type) || isDate(c.type));
  if (time >= 0) return overTime(columns, rows, time, numbers);
  const label = columns.findIndex((c) => !isNumeric(c.type));
  const named = label >= 0 ? label : numbers.length > 1 ? (numbers[0] as number) : -1;
  const shown = rows.slice(0, mostBars);
  return {
    kind: 'bar', x: shown.map((_, i) => i), labels: shown.map((r, i) => (named >= 0 ? cell(r[named] ?? null) : String(i + 1))),
    series: numbers.filter((n) => n !== named).slice(0, 1).map((n) => ({ name: columns[n]?.name ?? '', values: shown.map((r) => toNumber(r[n] ?? null)) })),
  };
}

function overTime(columns: Column[], rows: Value[][], time: number, numbers: number[]): PlotData | string {
  const at = (r: Value[]): number => parseTime(String(r[time])) / 1000;
  const times = [...new Set(rows.map(at))].filter((t) => !Number.isNaN(t)).sort((a, b) => a - b);
  if (times.length === 0) return 'The column of times has none.';
  const place = new Map(times.map((t, i) => [t, i]));
  const empty = (): (number | null)[] => times.map(() => null);
  const names = columns.flatMap((c, i) => (i !== time && !isNumeric(c.type) ? [i] : []));
  const lines = new Map<string, (number | null)[]>();
  const put = (line: string, r: Value[], n: number): void => {
    const values = lines.get(line) ?? empty();
    lines.set(line, values);
    const i = place.get(at(r));
    if (i !== undefined) values[i] = toNumber(r[n] ?? null);
  };
  for (const r of rows) {
    if (names.length > 0) put(names.map((n) => cell(r[n] ?? null)).join(' · '), r, numbers[0] as number);
    else for (const n of numbers) put(columns[n]?.name ?? '', r, n);
  }
  const total = (values: (number | null)[]): number => values.reduce<number>((sum, v) => sum + Math.abs(v ?? 0), 0);
  const greatest = [...lines].sort(([, a], [, b]) => total(b) - total(a)).slice(0, mostSeries);
  return { kind: 'line', x: times, series: greatest.map(([name, values]) => ({ name, values })) };
}

/** Decimals come as numbers or texts. */
function toNumber(value: Value): number | null {
  if (value === null || typeof value === 'boolean' || typeof value === 'object' || value === '') return null;
  const n = Number(value);
  return Number.isFinite(n) ? n : null;
}
