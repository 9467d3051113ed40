// Running a statement, and reading its answer whole.

import { send } from '../api/client.ts';
import { parseExact, type Value } from '../api/exact.ts';
import type { Column } from '../api/types.ts';

export interface Source {
  view?: string;
  stream?: string;
  generation?: number;
  cut_time?: string | null;
  complete?: boolean;
  lag_ms?: number;
}

export interface Result {
  columns: Column[];
  rows: Value[][];
  sources: Source[];
  millis: number;
}

export async function run(sql: string, signal: AbortSignal): Promise<Result> {
  const begin = performance.now();
  // The compact form keeps columns of one name apart.
  const reply = await send('/v1/sql?format=JSONCompact', { method: 'POST', body: sql, signal, headers: { 'Content-Type': 'text/plain' } });
  const text = await reply.text();
  const millis = performance.now() - begin;
  const sources = sourcesOf(reply.headers.get('Millrace-Provenance'));
  if (!reply.headers.get('Content-Type')?.startsWith('application/json')) {
    // FORMAT in the statement wins: then the answer is a text.
    return { columns: [{ name: reply.headers.get('X-ClickHouse-Format') ?? 'text', type: 'String' }], rows: text.split('\n').filter((l) => l !== '').map((l) => [l]), sources, millis };
  }
  const answer = parseExact<{ meta?: Column[]; data?: (Value[] | Record<string, Value>)[] }>(text);
  const columns = answer.meta ?? [];
  const rows = (answer.data ?? []).map((r) => (Array.isArray(r) ? r : columns.map((c) => r[c.name] ?? null)));
  return { columns, rows, sources, millis };
}

function sourcesOf(header: string | null): Source[] {
  if (!header) return [];
  try {
    return JSON.parse(header) as Source[];
  } catch {
    return [];
  }
}
