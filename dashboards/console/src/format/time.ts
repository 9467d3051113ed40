// Times and spans: in the browser's zone, and in words.

/** A span of time in one unit, two where that says more: 320 ms, 4.2 s, 3 min 20 s, 2 h 5 min. */
export function span(ms: number): string {
  const n = Math.max(0, ms);
  if (n < 1000) return `${Math.round(n)} ms`;
  const s = n / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return pair(Math.round(s), 60, 's', 'min');
  if (s < 86_400) return pair(Math.round(s / 60), 60, 'min', 'h');
  return pair(Math.round(s / 3600), 24, 'h', 'd');
}

/** As span, without tenths. */
function wholeSpan(seconds: number): string {
  return seconds < 10 ? `${seconds} s` : span(seconds * 1000);
}

/** n of a small unit as large ones; the rest is said only where it matters. */
function pair(n: number, of: number, small: string, large: string): string {
  const rest = n % of;
  const whole = Math.floor(n / of);
  return rest && whole < 10 ? `${whole} ${large} ${rest} ${small}` : `${whole} ${large}`;
}

/** "just now", "12 s ago", "in 3 min". */
export function relative(then: number, now: number): string {
  const ms = now - then;
  if (Math.abs(ms) < 1000) return 'just now';
  return ms > 0 ? `${wholeSpan(Math.floor(ms / 1000))} ago` : `in ${wholeSpan(Math.ceil(-ms / 1000))}`;
}

/**
 * The time of a text of an answer in milliseconds since 1970: RFC 3339, or ClickHouse's
 * "2026-11-26 07:47:00", which is UTC where the column says no other zone.
 */
export function parseTime(text: string): number {
  const clickhouse = /^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?))?$/.exec(text);
  if (!clickhouse) return Date.parse(text);
  return Date.parse(`${clickhouse[1]}T${(clickhouse[2] ?? '00:00:00').slice(0, 12)}Z`);
}

const pad = (n: number): string => String(n).padStart(2, '0');

/** Date and time in the browser's zone: 2026-11-26, 07:47:00. */
export function calendar(ms: number): [date: string, time: string] {
  const t = new Date(ms);
  return [`${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())}`, `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`];
}

/** 2026-11-26 07:47:00 in the browser's zone; without the date where it is today. */
export function local(ms: number, now = Date.now()): string {
  const [date, time] = calendar(ms);
  return date === calendar(now)[0] ? time : `${date} ${time}`;
}

/** 2026-11-26 07:47:00.250 UTC. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '').replace(/\.000$/, '')} UTC`;
}
