// The order of values of one column.

import type { Value } from '../api/exact.ts';
import { cell } from './cells.ts';

const words = new Intl.Collator('en', { numeric: true });

/** Compares two values; sign -1 turns the order around, and nulls come last either way. */
export function compareValues(a: Value, b: Value, sign: 1 | -1): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (isNumber(a) && isNumber(b)) return sign * (a < b ? -1 : a > b ? 1 : 0);
  return sign * words.compare(cell(a), cell(b));
}

function isNumber(v: Value): v is number | bigint {
  return typeof v === 'number' || typeof v === 'bigint';
}
