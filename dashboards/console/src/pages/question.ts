// What the page of a view asks the server, and how the answer becomes a chart.

import type { Value } from '../api/exact.ts';
import type { View, ViewAnswer } from '../api/types.ts';
import { cell, isNumeric } from '../format/cells.ts';
import { parseTime } from '../format/time.ts';
import type { PlotData } from '../parts/uplot.ts';

export const ranges: { value: string; label: string; seconds: number }[] = [
  { value: '15m', label: '15 min', seconds: 900 },
  { value: '1h', label: '1 h', seconds: 3600 },
  { value: '6h', label: '6 h', seconds: 21_600 },
  { value: '24h', label: '24 h', seconds: 86_400 },
  { value: '7d', label: '7 d', seconds: 604_800 },
  { value: '30d', label: '30 d', seconds: 2_592_000 },
  { value: 'all', label: 'all', seconds: Infinity },
];

const stepSeconds: [string, number][] = [
  ['1m', 60], ['5m', 300], ['15m', 900], ['1h', 3600], ['6h', 21_600], ['1d', 86_400], ['1w', 604_800],
];

/** The steps that a view can be cut into: whole panes. */
export function stepsOf(pane: number): string[] {
  return stepSeconds.filter(([, s]) => s % pane === 0).map(([name]) => name);
}

const wantedPoints = 120;

/** The ranges that make sense of a view: a pane at least. */
export function rangesOf(pane: number): typeof ranges {
  return ranges.filter((r) => r.seconds >= pane);
}

/** The step that gives a chart about a hundred points. */
export function stepFor(steps: string[], range: string): string {
  const seconds = ranges.find((r) => r.value === range)?.seconds ?? Infinity;
  const fine = stepSeconds.find(([name, s]) => steps.includes(name) && seconds / s <= wantedPoints);
  return fine?.[0] ?? steps.at(-1) ?? '1d';
}

export interface Choice {
  range: string;
  step: string;
  measure: string;
  /** The group column that the chart has a line of each value for; '' for one line of all. */
  split: string;
}

export function measuresOf(view: View): string[] {
  return view.columns.filter((c) => c.role === 'measure' && isNumeric(c.type)).map((c) => c.name);
}

export function groupsOf(view: View): string[] {
  return view.columns.filter((c) => c.role === 'group').map((c) => c.name);
}

/** Reads the parameters of the page's address; what does not fit this view gives way to what does. */
export function choiceOf(view: View, params: URLSearchParams): Choice {
  const measures = measuresOf(view);
  const pick = (name: string, of: string[], otherwise: string): string => {
    const value = params.get(name) ?? '';
    return of.includes(value) ? value : otherwise;
  };
  const fitting = rangesOf(view.pane).map((r) => r.value);
  const range = pick('range', fitting, view.window && fitting.includes('1h') ? '1h' : 'all');
  const steps = stepsOf(view.pane);
  return { range, step: pick('step', steps, stepFor(steps, range)), measure: pick('measure', measures, measures[0] ?? ''), split: pick('split', groupsOf(view), '') };
}

type Params = Record<string, string | undefined>;

const chartRows = '20000';

export function chartParams(c: Choice): Params {
  return { from: c.range === 'all' ? undefined : `-${c.range}`, step: c.step, by: c.split, limit: chartRows };
}

export const tableRows = 500;

export function tableParams(view: View, c: Choice): Params {
  return {
    from: c.range === 'all' ? undefined : `-${c.range}`, by: groupsOf(view).join(','),
    order: c.measure ? `-${c.measure}` : undefined, limit: String(tableRows),
  };
}

/** Lines in one chart: more are no longer told apart. */
export const mostLines = 6;

/** A chart, and how many lines or bars there would be without a limit. */
export interface Chart {
  plot: PlotData;
  of: number;
}

/** The chart over time: one line, or one of each of the greatest values of the split column. */
export function overTime(answer: ViewAnswer, c: Choice, now: number): Chart {
  const step = stepSeconds.find(([name]) => name === c.step)?.[1] ?? 0;
  const times = everyStep(answer.data.map((r) => parseTime(String(r.time)) / 1000), step);
  const place = new Map(times.map((t, i) => [t, i]));
  const lines = new Map<string, { total: number; values: (number | null)[] }>();
  for (const row of answer.data) {
    const name = c.split ? cell(row[c.split] ?? null) : c.measure;
    const line = lines.get(name) ?? { total: 0, values: times.map(() => null) };
    lines.set(name, line);
    const value = number(row[c.measure] ?? null);
    line.values[place.get(parseTime(String(row.time)) / 1000) ?? 0] = value;
    line.total += Math.abs(value ?? 0);
  }
  const greatest = [...lines].sort(([, a], [, b]) => b.total - a.total).slice(0, mostLines);
  const last = times.at(-1) ?? 0;
  const before = times.at(-2);
  const filling = last + step > now / 1000 ? before : undefined;
  const cut = answer.provenance.cut_time ? Date.parse(answer.provenance.cut_time) / 1000 : undefined;
  return { plot: { kind: 'line', x: times, series: greatest.map(([name, line]) => ({ name, values: line.values })), cut, filling }, of: lines.size };
}

const mostPoints = 10_000;

/** All steps from the first time to the last, so that one without events is a gap and no slope. */
function everyStep(times: number[], step: number): number[] {
  const sorted = [...new Set(times)].sort((a, b) => a - b);
  const [first = 0] = sorted;
  const n = ((sorted.at(-1) ?? first) - first) / step + 1;
  if (!(n <= mostPoints) || sorted.some((t) => (t - first) % step !== 0)) return sorted;
  return sorted.length === 0 ? [] : Array.from({ length: n }, (_, i) => first + i * step);
}

export const mostBars = 24;

/** The chart of a view without windows: a bar for each group; numbers stay in their order. */
export function byGroup(answer: ViewAnswer, view: View, c: Choice): Chart {
  const groups = groupsOf(view);
  let rows = answer.data.slice(0, mostBars);
  const [only] = groups;
  if (groups.length === 1 && only && rows.every((r) => number(r[only] ?? null) !== null)) {
    rows = [...rows].sort((a, b) => Number(a[only]) - Number(b[only]));
  }
  return {
    plot: {
      kind: 'bar', x: rows.map((_, i) => i), labels: rows.map((r) => groups.map((g) => cell(r[g] ?? null)).join(' · ') || 'all'),
      series: [{ name: c.measure, values: rows.map((r) => number(r[c.measure] ?? null)) }],
    },
    of: answer.data.length,
  };
}

export function number(value: Value): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' ? Number(value) : null;
}
