import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BoardRow, View, ViewAnswer } from '../src/api/types.ts';
import { chief } from '../src/pages/chief.ts';
import { driftOf } from '../src/pages/drift.ts';
import { Movement, moveMillis } from '../src/pages/movement.ts';
import { byGroup, type Choice, choiceOf, overTime, stepFor, stepsOf } from '../src/pages/question.ts';

const view = (over: Partial<View> = {}): View => ({
  name: 'v', stream: 's', sql: '', window: 60, pane: 60, schedule: '', generation: 1, cut: null, cut_time: null, next_run: null, rows: 0, state: 'ready',
  columns: [
    { name: 'window_start', type: 'DateTime64(0)', role: 'window' }, { name: 'page', type: 'String', role: 'group' },
    { name: 'last', type: 'String', role: 'measure' }, { name: 'n', type: 'UInt64', role: 'measure' },
  ],
  ...over,
});

const answer = (data: ViewAnswer['data'], cut: string | null = null): ViewAnswer => ({
  meta: [], data, rows: data.length, provenance: { generation: 1, cut: null, cut_time: cut, partitions: [], lag_ms: 0, complete: true, rejected: 0 },
});

test('steps are whole panes', () => {
  assert.deepEqual(stepsOf(60), ['1m', '5m', '15m', '1h', '6h', '1d', '1w']);
  assert.deepEqual(stepsOf(420), ['1w']);
  assert.deepEqual(stepsOf(86_400), ['1d', '1w']);
  assert.equal(stepFor(stepsOf(60), '1h'), '1m');
  assert.equal(stepFor(stepsOf(60), '24h'), '15m');
  assert.equal(stepFor(stepsOf(86_400), '1h'), '1d');
  assert.equal(stepFor(stepsOf(60), 'all'), '1w');
});

test('an address that does not fit gives way', () => {
  const fits: Choice = { range: '6h', step: '5m', measure: 'n', split: 'page' };
  assert.deepEqual(choiceOf(view(), new URLSearchParams({ range: '6h', split: 'page', measure: 'n' })), fits);
  assert.deepEqual(choiceOf(view(), new URLSearchParams({ range: 'x', step: '2s', measure: 'last', split: 'n' })), { range: '1h', step: '1m', measure: 'n', split: '' });
  const whole = view({ window: null, pane: 86_400 });
  assert.equal(choiceOf(whole, new URLSearchParams()).range, 'all');
  assert.equal(choiceOf(whole, new URLSearchParams({ range: '1h' })).range, 'all', 'an hour is less than a pane');
});

test('a line for each value, the greatest first, with gaps', () => {
  const rows = [
    { time: '2026-01-01 00:01:00', page: 'b', n: 5 }, { time: '2026-01-01 00:00:00', page: 'a', n: 2 }, { time: '2026-01-01 00:01:00', page: 'a', n: 1 },
  ];
  const { plot, of } = overTime(answer(rows, '2026-01-01T00:01:00Z'), { range: '1h', step: '1m', measure: 'n', split: 'page' }, Date.UTC(2026, 0, 1, 0, 1, 30));
  assert.deepEqual(plot.series, [{ name: 'b', values: [null, 5] }, { name: 'a', values: [2, 1] }]);
  assert.equal(plot.cut, Date.UTC(2026, 0, 1, 0, 1) / 1000);
  assert.equal(plot.filling, Date.UTC(2026, 0, 1) / 1000, 'the last step still grows');
  assert.equal(of, 2);
  assert.equal(overTime(answer(rows), { range: '1h', step: '1m', measure: 'n', split: 'page' }, Date.UTC(2027, 0, 1)).plot.filling, undefined);
});

test('a step without events is a gap', () => {
  const at = (minute: number) => ({ time: `2026-01-01 00:0${minute}:00`, n: minute });
  const { plot } = overTime(answer([at(1), at(2), at(5)]), { range: '1h', step: '1m', measure: 'n', split: '' }, Date.UTC(2027, 0, 1));
  assert.deepEqual(plot.series[0]?.values, [1, 2, null, null, 5]);
  assert.deepEqual(overTime(answer([]), { range: '1h', step: '1m', measure: 'n', split: '' }, 0).plot.x, []);
});

test('bars of numbers stand in their order', () => {
  const hours = view({ columns: [{ name: 'hour', type: 'UInt8', role: 'group' }, { name: 'n', type: 'UInt64', role: 'measure' }] });
  const { plot } = byGroup(answer([{ hour: 10, n: 9 }, { hour: 2, n: 5 }]), hours, { range: 'all', step: '1d', measure: 'n', split: '' });
  assert.deepEqual(plot.labels, ['2', '10']);
  assert.deepEqual(plot.series[0]?.values, [5, 9]);
});

test('moves are marked for a while', () => {
  const rows = (...members: string[]): BoardRow[] => members.map((member, i) => ({ rank: i + 1, member, score: 0 }));
  const m = new Movement();
  assert.equal(m.update(rows('a', 'b', 'c'), 0).size, 0, 'nothing moved yet');
  assert.deepEqual([...m.update(rows('b', 'a', 'd'), 1000)], [['b', { by: 1, at: 1000 }], ['a', { by: -1, at: 1000 }], ['d', { by: null, at: 1000 }]]);
  assert.equal(m.update(rows('b', 'a', 'd'), 1000 + moveMillis).size, 3);
  assert.equal(m.update(rows('b', 'a', 'd'), 1001 + moveMillis).size, 0);
});

test('drift in words', () => {
  const drift = { from: 1, to: 3, batch_events: 100, speed_events: 100, comparable: true };
  assert.equal(driftOf({ state: 'published', drift }).verdict, 'same');
  assert.equal(driftOf({ state: 'published', drift: { ...drift, speed_events: 97 } }).words, '−3 of 100 events');
  assert.equal(driftOf({ state: 'published', drift: { ...drift, comparable: false } }).verdict, 'unknown');
  assert.equal(driftOf({ state: 'published', drift: null }).verdict, 'none');
  assert.equal(driftOf({ state: 'failed', drift: null }).words, 'why it failed');
});

test('the overview shows the top of the busiest leaderboard, or else view', () => {
  const streams = [{ name: 's', events: 1, events_per_s: 1, rejected: 0, rejected_per_s: 0, lake_rows: 0, lag_ms: 0 }, { name: 't', events: 1, events_per_s: 9, rejected: 0, rejected_per_s: 0, lake_rows: 0, lag_ms: 0 }];
  const board = (name: string, stream: string) => ({ name, stream, member: 'm', member_type: 'String', score: 'points', order: 'desc' as const, tie: 'shared', windows: ['all'], batch: '', sql: '' });
  assert.deepEqual(chief({ streams }, [board('a', 's'), board('b', 't')], [view()]), { kind: 'board', name: 'b', measure: 'points' });
  assert.deepEqual(chief({ streams }, [], [view()]), { kind: 'view', name: 'v', measure: 'n', groups: ['page'] });
  assert.equal(chief({ streams }, [], []), undefined);
  assert.equal(chief({ streams }, undefined, []), undefined);
});
