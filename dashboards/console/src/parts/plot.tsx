// A chart over time. uPlot comes by a request of its own, with the first chart.

import { useEffect, useRef, useState } from 'preact/hooks';
import { dark } from '../state/theme.ts';
import { partMissing, ProblemNote } from './basics.tsx';
import type { Drawing, PlotData } from './uplot.ts';

export type { PlotData, PlotSeries } from './uplot.ts';

export function Plot({ label, data, height = 280 }: { label: string; data: PlotData; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing | undefined>(undefined);
  const [missing, setMissing] = useState(false);
  const latest = useRef(data);
  latest.current = data;
  // Another set of lines is another drawing; new points of the same lines are not.
  const shape = JSON.stringify([data.series.map((s) => s.name), data.kind, dark.value, height]);

  useEffect(() => {
    let gone = false;
    import('./uplot.ts').then(({ draw }) => {
      if (!gone && box.current) drawing.current = draw(box.current, latest.current, height);
    }, () => setMissing(true));
    return () => {
      gone = true;
      drawing.current?.destroy();
      drawing.current = undefined;
    };
  }, [shape]);
  useEffect(() => drawing.current?.update(data), [data]);

  if (missing) return <ProblemNote problem={partMissing} />;
  return <div class="plot" ref={box} role="img" aria-label={label} style={{ minHeight: `${height}px` }} />;
}
