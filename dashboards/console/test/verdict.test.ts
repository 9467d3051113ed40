import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Beat, Pulse } from '../src/api/types.ts';
import { freshness, verdict } from '../src/state/verdict.ts';

const beat = (over: Partial<Beat>): Beat => ({
  name: 'v', stream: 's', generation: 1, cut: null, cut_time: null, lag_ms: 0, complete: true, next_run: null, running: false, state: 'ready', ...over,
});

const pulse = (over: Partial<Pulse>): Pulse => ({
  at: '', version: '', uptime_ms: 0, healthy: true, problems: [], streams: [], views: [], boards: [],
  steps: {
    ingest: { events: 0, events_per_s: 0, bytes_per_s: 0, requests_per_s: 0, rejected: 0, rejected_per_s: 0 }, log: { partitions: 0, entries: 0 },
    speed: { views: 0, lag_ms: 0, behind: 0 }, lake: { epoch: null, lag_ms: null, files: 0, rows: 0, bytes: 0 },
    batch: { running: 0, last_run: null, next_run: null, failures: 0, drifting: 0 }, serving: null,
  },
  ...over,
});

test('every trouble comes with what to do', () => {
  assert.equal(verdict(pulse({})).word, 'Healthy');
  const parts = ['redis', 'clickhouse', 'query_engine', 'stream clicks', 'view hits', 'leaderboard top', 'batch hits', 'disk'];
  const v = verdict(pulse({ healthy: false, problems: parts.map((part) => ({ part, detail: 'x' })) }));
  assert.equal(v.healthy, false);
  for (const t of v.troubles) assert.ok(t.advice.length > 20, t.part);
  assert.match(v.troubles[0]?.advice ?? '', /Redis/);
});

test('freshness is that of the furthest behind', () => {
  assert.equal(freshness(pulse({})).main, '–');
  const late = freshness(pulse({ views: [beat({ lag_ms: 40 })], boards: [beat({ lag_ms: 7200 })] }));
  assert.deepEqual([late.main, late.fresh], ['7.2 s', false]);
  assert.match(freshness(pulse({ views: [beat({ name: 'old', state: 'backfilling' })] })).words, /old is being filled/);
});
