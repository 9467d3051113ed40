// Values of an answer as text, by their ClickHouse type.

import type { Value } from '../api/exact.ts';
import { exact } from './numbers.ts';

function inner(type: string): string {
  const wrapped = /^(?:Nullable|LowCardinality)\((.*)\)$/.exec(type);
  return wrapped ? inner(wrapped[1] ?? '') : type;
}

export function isNumeric(type: string): boolean {
  return /^(U?Int|Float|Decimal|BFloat)/.test(inner(type));
}

/** Whether the type is a time in UTC that the browser's zone can be applied to; a bare date is no time. */
export function isTime(type: string): boolean {
  const t = inner(type);
  return /^DateTime/.test(t) && (!t.includes("'") || t.includes("'UTC'"));
}

export function isDate(type: string): boolean {
  return /^Date(32)?$/.test(inner(type));
}

export function cell(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'bigint') return exact(value);
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
}
