// What there is to ask: streams, views and leaderboards with their columns.

import type { Board, Column, Stream, View } from '../api/types.ts';

export interface Table {
  name: string;
  kind: 'stream' | 'view' | 'leaderboard';
  columns: Column[];
}

export type Schema = Table[];

export function schemaOf(streams: Stream[], views: View[], boards: Board[]): Schema {
  const ranked = new Set(boards.map((b) => b.name));
  const tables: Schema = [
    ...streams.map((s) => ({ name: s.name, kind: 'stream' as const, columns: s.columns })),
    ...views.filter((v) => !ranked.has(v.name)).map((v) => ({ name: v.name, kind: 'view' as const, columns: v.columns })),
    ...boards.map((b) => ({ name: b.name, kind: 'leaderboard' as const, columns: [{ name: b.member, type: b.member_type }, { name: b.score, type: 'number' }] })),
  ];
  return tables.sort((a, b) => (a.name < b.name ? -1 : 1));
}
