// Numbers as people read them: thousands separated, with a unit.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const significant = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** A number of an answer, in full. */
export function exact(n: number | bigint): string {
  if (typeof n === 'bigint' || Number.isInteger(n)) return whole.format(n);
  const size = Math.abs(n);
  return size >= 0.01 && size < 1e15 ? fine.format(n) : significant.format(n);
}

const thousands = ['', 'k', 'M', 'G', 'T', 'P'];

/** A number for a glance: 12.3 M. Below 10,000 it is whole. */
export function short(n: number): string {
  if (Math.abs(n) < 10_000) return Math.abs(n) < 10 && !Number.isInteger(n) ? n.toFixed(1) : whole.format(n);
  return scaled(n, 1000, thousands);
}

/** The labels of an axis: one unit and as many digits for all. */
export function ticks(values: number[]): string[] {
  const most = Math.max(...values.map(Math.abs), 0);
  const power = most < 10_000 ? 0 : Math.min(Math.floor(Math.log10(most) / 3), thousands.length - 1);
  const scaledDown = values.map((v) => Number((v / 1000 ** power).toPrecision(12)));
  const digits = Math.max(0, ...scaledDown.map((v) => String(v).split('.')[1]?.length ?? 0));
  const format = new Intl.NumberFormat('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return scaledDown.map((v) => format.format(v) + (power ? ` ${thousands[power]}` : ''));
}

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(n: number): string {
  return n < 1024 ? `${Math.round(n)} B` : scaled(n, 1024, binary);
}

function scaled(n: number, base: number, units: string[]): string {
  let power = 0;
  while (Math.abs(n) >= base && power < units.length - 1) {
    n /= base;
    power++;
  }
  return `${n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)} ${units[power]}`;
}

export function rate(n: number): string {
  return `${short(n)}/s`;
}

/** "1 row", "2 rows". */
export function count(n: number | bigint, thing: string, things = `${thing}s`): string {
  return `${exact(n)} ${n === 1 || n === 1n ? thing : things}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}
