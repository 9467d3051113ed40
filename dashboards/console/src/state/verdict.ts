// Whether the server is well, in words, and what to do where it is not.

import type { Pulse } from '../api/types.ts';
import { span } from '../format/time.ts';

export interface Verdict {
  healthy: boolean;
  word: string;
  /** What is wrong and what to do about it, the most important first. */
  troubles: { part: string; detail: string; advice: string }[];
}

export function verdict(p: Pulse): Verdict {
  if (p.healthy) return { healthy: true, word: 'Healthy', troubles: [] };
  return {
    healthy: false, word: 'In trouble',
    troubles: p.problems.map((x) => ({ part: x.part, detail: x.detail, advice: advice(x.part, x.detail) })),
  };
}

function advice(part: string, detail: string): string {
  const about = `${part} ${detail}`.toLowerCase();
  if (about.includes('redis')) return 'Events are still taken in. See that Redis runs; the embedded one is started again by itself. Then the speed layer catches up.';
  if (about.includes('clickhouse') || about.includes('engine')) return 'Events are still taken in. The embedded engine is started again by itself; of an external one look at clickhouse.dsn. Batch runs are made up for.';
  if (about.includes('disk') || about.includes('space')) return 'Free space on the disk of data_dir; what was refused meanwhile got a 503 and is sent again by its sender.';
  if (about.includes('nats') || about.includes('log')) return 'See that the log’s server runs; senders get 503 and try again meanwhile.';
  return 'Run “millrace doctor” on the server; the server’s log says more.';
}

/** A lag up to this is nothing that a person would notice. */
const unnoticedMillis = 1000;

/** How fresh the answers are, in a sentence. */
export function freshness(p: Pulse): { main: string; words: string; fresh: boolean } {
  const kept = [...p.views, ...p.boards];
  if (kept.length === 0) return { main: '–', words: 'There is no view or leaderboard yet.', fresh: true };
  const worst = Math.max(...kept.map((v) => v.lag_ms));
  const building = kept.filter((v) => v.state === 'backfilling');
  if (building.length > 0) {
    return { main: span(worst), words: `${building.map((v) => v.name).join(', ')} ${building.length === 1 ? 'is' : 'are'} being filled from the past.`, fresh: false };
  }
  const fresh = worst < unnoticedMillis;
  return { main: span(worst), words: fresh ? 'Every answer holds what was acknowledged up to this long ago.' : 'The answer that is furthest behind lacks events of this age.', fresh };
}
