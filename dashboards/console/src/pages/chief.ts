// Which view or leaderboard the overview shows the top of.

import type { Board, Pulse, View } from '../api/types.ts';
import { isNumeric } from '../format/cells.ts';

export type Chief =
  | { kind: 'board'; name: string; measure: string }
  | { kind: 'view'; name: string; measure: string | undefined; groups: string[] };

/** A leaderboard before a view, that of the busiest stream before others, then by name. */
export function chief(pulse: Pick<Pulse, 'streams'>, boards: Board[] | undefined, views: View[] | undefined): Chief | undefined {
  if (!boards || !views) return undefined;
  const busy = new Map(pulse.streams.map((s) => [s.name, s.events_per_s]));
  const first = <T extends { name: string; stream: string }>(of: T[]): T | undefined =>
    [...of].sort((a, b) => (busy.get(b.stream) ?? 0) - (busy.get(a.stream) ?? 0) || (a.name < b.name ? -1 : 1))[0];
  const board = first(boards);
  if (board) return { kind: 'board', name: board.name, measure: board.score };
  const view = first(views);
  if (!view) return undefined;
  return {
    kind: 'view', name: view.name,
    measure: view.columns.find((c) => c.role === 'measure' && isNumeric(c.type))?.name,
    groups: view.columns.filter((c) => c.role === 'group').map((c) => c.name),
  };
}
