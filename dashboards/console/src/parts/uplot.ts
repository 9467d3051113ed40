// Drawing with uPlot, in the page's colours.

import uPlot from 'uplot';
import { exact, ticks } from '../format/numbers.ts';
import { calendar } from '../format/time.ts';

export interface PlotSeries {
  name: string;
  values: (number | null)[];
}

export interface PlotData {
  kind: 'line' | 'bar';
  /** Seconds since 1970, or places from 0 where `labels` name them. */
  x: number[];
  labels?: string[];
  series: PlotSeries[];
  /** The end of what the batch layer covers, in seconds since 1970: a mark in the chart. */
  cut?: number | undefined;
  /** Where the last complete step is: what follows is faint, as it still grows. */
  filling?: number | undefined;
}

export interface Drawing {
  update(data: PlotData): void;
  destroy(): void;
}

const seriesColours = ['--water', '--rust', '--moss', '--deep', '--ochre', '--plum', '--ink-2'];

export function draw(box: HTMLElement, first: PlotData, height: number): Drawing {
  let data = first;
  const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const line = colour('--line');
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour('--ink-2'), font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const bars = uPlot.paths.bars?.({ size: [0.7, 60] });

  const options: uPlot.Options = {
    width: Math.max(box.clientWidth, 200), height,
    cursor: { y: false, points: { size: 7 } },
    legend: { live: true },
    scales: {
      // The first and the last bar are whole.
      x: first.labels ? { time: false, range: (_, low, high) => [low - 0.6, high + 0.6] } : { time: true },
      y: { range: (_, low, high) => padded(low, high) },
    },
    axes: [
      {
        ...axis, gap: 6,
        ...(first.labels ? { incrs: wholeSteps, values: (_: uPlot, at: number[]) => at.map((i) => (Number.isInteger(i) ? shorten(data.labels?.[i] ?? '') : '')) } : { values: timeLabels }),
      },
      { ...axis, size: 62, values: (_, at) => ticks(at) },
    ],
    series: [
      first.labels ? { label: 'group', value: (_, i) => (i === null ? '–' : (data.labels?.[i] ?? '')) } : { label: 'time', value: (_, at) => (at === null ? '–' : calendar(at * 1000).join(' ')) },
      ...first.series.map((s, i) => {
        const stroke = colour(seriesColours[i % seriesColours.length] ?? '--water');
        return {
          label: s.name, stroke, width: 2, points: { show: first.x.length < 3 },
          value: (_: uPlot, v: number | null) => (v === null ? '–' : exact(v)),
          ...(first.kind === 'bar' && bars ? { paths: bars, fill: stroke + '66' } : i === 0 && first.series.length === 1 ? { fill: stroke + '1f' } : {}),
        };
      }),
    ],
    hooks: { draw: [(u) => fade(u, data.filling, colour('--ground')), (u) => markCut(u, data.cut, colour('--deep'), font)] },
  };
  const plot = new uPlot(options, aligned(data), box);
  const observer = new ResizeObserver(() => plot.setSize({ width: Math.max(box.clientWidth, 200), height }));
  observer.observe(box);
  return {
    update(next) {
      data = next;
      plot.setData(aligned(next));
    },
    destroy() {
      observer.disconnect();
      plot.destroy();
    },
  };
}

const wholeSteps = [1, 2, 5, 10, 20, 50, 100];

/** 07:50, with the date below where it begins or changes. */
function timeLabels(_: uPlot, at: number[], _axis: number, _space: number, step: number): string[] {
  let day = '';
  return at.map((seconds) => {
    const [date, time] = calendar(seconds * 1000);
    const label = step >= 86_400 ? '' : time.slice(0, step < 60 ? 8 : 5);
    const below = date === day ? '' : date;
    day = date;
    return label ? `${label}${below ? `\n${below}` : ''}` : date.slice(5);
  });
}

function aligned(data: PlotData): uPlot.AlignedData {
  return [data.x, ...data.series.map((s) => s.values)];
}

/** Zero is part of the picture, and nothing touches the frame. */
function padded(low: number | null, high: number | null): [number, number] {
  const least = Math.min(low ?? 0, 0);
  const most = Math.max(high ?? 1, 0);
  const room = (most - least || 1) * 0.08;
  return [least < 0 ? least - room : 0, most > 0 ? most + room : 0];
}

const longestLabel = 14;

function shorten(text: string): string {
  return text.length > longestLabel ? `${text.slice(0, longestLabel - 1)}…` : text;
}

/** Washes over what is right of a time. */
function fade(u: uPlot, from: number | undefined, ground: string): void {
  if (from === undefined || !u.data[0] || u.data[0].length < 2) return;
  const { ctx, bbox } = u;
  const x = Math.max(u.valToPos(from, 'x', true), bbox.left);
  ctx.save();
  ctx.globalAlpha = 0.72;
  ctx.fillStyle = ground;
  ctx.fillRect(x, bbox.top, bbox.left + bbox.width - x + 2, bbox.height);
  ctx.restore();
}

/** Left of the mark the batch layer computed the numbers, right of it the speed layer. */
function markCut(u: uPlot, cut: number | undefined, stroke: string, font: string): void {
  const { min, max } = u.scales.x ?? {};
  if (cut === undefined || min === undefined || max === undefined || min === null || max === null || cut <= min || cut >= max) return;
  const x = Math.round(u.valToPos(cut, 'x', true));
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = stroke;
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = font.replace('11px', `${11 * devicePixelRatio}px`);
  ctx.textAlign = 'right';
  ctx.fillText('batch ', x, bbox.top + 12 * devicePixelRatio);
  ctx.textAlign = 'left';
  if (x + 40 * devicePixelRatio < bbox.left + bbox.width) ctx.fillText(' speed', x, bbox.top + 12 * devicePixelRatio);
  ctx.restore();
}
