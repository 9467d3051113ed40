import type { Provenance } from '../api/types.ts';

/**
 * How much of a range the batch layer covers, 0 to 1. A range without a beginning has
 * no length to divide; then it is drawn as mostly batch, where there is any.
 */
export function shares(p: Pick<Provenance, 'cut_time' | 'from' | 'to'>, from: number | undefined, now: number): { batch: number } {
  if (!p.cut_time) return { batch: 0 };
  const begin = p.from ? Date.parse(p.from) : from;
  if (begin === undefined) return { batch: 0.85 };
  const end = p.to ? Math.min(Date.parse(p.to), now) : now;
  const cut = Date.parse(p.cut_time);
  if (end <= begin) return { batch: cut >= end ? 1 : 0 };
  return { batch: Math.min(1, Math.max(0, (cut - begin) / (end - begin))) };
}
