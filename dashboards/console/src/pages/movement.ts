// Who moved in a leaderboard, and by how many ranks.

import { cell } from '../format/cells.ts';
import type { BoardRow } from '../api/types.ts';

export interface Move {
  /** Ranks gained; negative where lost. null: new on this page. */
  by: number | null;
  at: number;
}

/** How long a change stays marked. */
export const moveMillis = 8000;

/** Keeps the marks of changes between one picture of a page and the next. */
export class Movement {
  private ranks: Map<string, number> | undefined;
  private moves = new Map<string, Move>();

  update(rows: BoardRow[], at: number): Map<string, Move> {
    const next = new Map(rows.flatMap((r) => (r.rank === null ? [] : [[cell(r.member), r.rank]])));
    for (const [member, rank] of next) {
      const before = this.ranks?.get(member);
      if (this.ranks && before === undefined) this.moves.set(member, { by: null, at });
      else if (before !== undefined && before !== rank) this.moves.set(member, { by: before - rank, at });
    }
    for (const [member, move] of this.moves) if (at - move.at > moveMillis || !next.has(member)) this.moves.delete(member);
    this.ranks = next;
    return new Map(this.moves);
  }
}
