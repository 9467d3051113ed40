import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chartOf } from '../src/sql/chart.ts';
import { remember, withoutSecrets } from '../src/sql/history.ts';
import { rangeOf } from '../src/sql/place.ts';

const problem = (over: object) => ({ type: '', title: '', status: 400, detail: '', ...over });

test('an error is found by line and column, which count characters', () => {
  const text = "SELECT '🌊',\n  nope(1)";
  const at = rangeOf(text, problem({ line: 2, column: 3 }));
  assert.equal(at && text.slice(at.from, at.to), 'nope');
  const wave = rangeOf("SELECT '🌊' frm x", problem({ line: 1, column: 12 }));
  assert.equal(wave && "SELECT '🌊' frm x".slice(wave.from, wave.to), 'frm');
  assert.deepEqual(rangeOf('x', problem({ line: 9, column: 9 })), { from: 1, to: 1 }, 'a place beyond the end is the end');
});

test('a name without a place has one where it occurs once', () => {
  const p = problem({ detail: 'Unknown expression identifier `nope`.' });
  assert.deepEqual(rangeOf('SELECT nope FROM t', p), { from: 7, to: 11 });
  assert.equal(rangeOf('SELECT nope, nope FROM t', p), undefined);
  assert.equal(rangeOf('SELECT nopes FROM t', p), undefined);
});

test('the history keeps no secrets', () => {
  assert.equal(withoutSecrets("SELECT 'mr_QmQmQmQmQmQmQmQmQm'"), "SELECT 'mr_…'");
  assert.equal(withoutSecrets("deliver = 'https://ann:pa:ss@example.org/x'"), "deliver = 'https://ann:…@example.org/x'");
  assert.equal(withoutSecrets("WITH (smtp_password = 'it''s')"), "WITH (smtp_password = 'it''s')".replace("'it''s'", "'…'"));
  assert.equal(withoutSecrets('SELECT 1'), 'SELECT 1');
  assert.deepEqual(remember('b', ['a', 'b']), ['b', 'a']);
  assert.equal(remember('x', Array.from({ length: 60 }, (_, i) => String(i))).length, 50);
  assert.deepEqual(remember('  ', ['a']), ['a']);
});

test('a result with a time is drawn over time', () => {
  const columns = [{ name: 't', type: 'DateTime' }, { name: 'k', type: 'String' }, { name: 'n', type: 'UInt64' }];
  const chart = chartOf(columns, [['2026-01-01 00:00:00', 'a', 1n], ['2026-01-01 00:01:00', 'b', 5]]);
  assert.ok(typeof chart !== 'string' && chart.kind === 'line');
  assert.deepEqual(chart.series, [{ name: 'b', values: [null, 5] }, { name: 'a', values: [1, null] }]);
});

test('one without is drawn as bars, and what cannot be drawn says why', () => {
  const bars = chartOf([{ name: 'k', type: 'String' }, { name: 'n', type: 'Decimal(9, 2)' }], [['x', '1.5'], ['y', null]]);
  assert.ok(typeof bars !== 'string');
  assert.deepEqual([bars.labels, bars.series], [['x', 'y'], [{ name: 'n', values: [1.5, null] }]]);
  const numbers = chartOf([{ name: 'hour', type: 'UInt8' }, { name: 'n', type: 'UInt64' }], [[3, 10]]);
  assert.ok(typeof numbers !== 'string' && numbers.labels?.[0] === '3' && numbers.series[0]?.name === 'n');
  assert.match(String(chartOf([{ name: 'k', type: 'String' }], [['x']])), /numbers/);
  assert.match(String(chartOf([], [])), /no rows/);
});
