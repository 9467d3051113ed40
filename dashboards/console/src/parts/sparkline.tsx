// A line without axes beside a number.

const width = 120;
const height = 20;

export function Sparkline({ values, label }: { values: number[]; label: string }) {
  return (
    <svg class="sparkline" role="img" aria-label={label} width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
      <path d={sparkPath(values, width, height)} />
    </svg>
  );
}

/** The newest value is at the right edge; zero is the lower one. */
export function sparkPath(values: number[], w: number, h: number, places = 120): string {
  const most = Math.max(...values, 1);
  return values
    .map((v, i) => `${i ? 'L' : 'M'}${(w - ((values.length - 1 - i) * w) / (places - 1)).toFixed(1)} ${(h - 1 - (v / most) * (h - 2)).toFixed(1)}`)
    .join(' ');
}
