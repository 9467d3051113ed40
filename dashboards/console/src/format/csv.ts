// CSV by RFC 4180, of a result that is in the page already.

import type { Value } from '../api/exact.ts';

export function csv(names: string[], rows: Value[][]): string {
  return [names, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

function field(value: Value): string {
  if (value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
