import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExact } from '../src/api/exact.ts';
import { cell, isNumeric, isTime } from '../src/format/cells.ts';
import { csv } from '../src/format/csv.ts';
import { bytes, count, exact, percent, rate, short, ticks } from '../src/format/numbers.ts';
import { compareValues } from '../src/format/order.ts';
import { parseTime, relative, span, utc } from '../src/format/time.ts';

test('numbers have thousands and units', () => {
  assert.equal(exact(1234567), '1,234,567');
  assert.equal(exact(18446744073709551615n), '18,446,744,073,709,551,615');
  assert.equal(exact(0.1234), '0.12');
  assert.equal(exact(0.00012345), '0.000123');
  assert.equal(short(9999), '9,999');
  assert.equal(short(12_345_678), '12.3 M');
  assert.equal(rate(1498.4), '1,498/s');
  assert.equal(rate(0), '0/s');
  assert.equal(bytes(1536), '1.50 KiB');
  assert.equal(bytes(0), '0 B');
  assert.equal(count(1, 'row'), '1 row');
  assert.equal(count(2, 'entry', 'entries'), '2 entries');
  assert.equal(percent(0.5), '50 %');
  assert.equal(percent(0.012), '1.2 %');
});

test('ticks of one axis look alike', () => {
  assert.deepEqual(ticks([0, 40_000, 80_000, 120_000]), ['0 k', '40 k', '80 k', '120 k']);
  assert.deepEqual(ticks([0, 0.25, 0.5]), ['0.00', '0.25', '0.50']);
  assert.deepEqual(ticks([0, 2500, 5000]), ['0', '2,500', '5,000']);
  assert.deepEqual(ticks([1_000_000, 1_500_000]), ['1.0 M', '1.5 M']);
  assert.deepEqual(ticks([]), []);
});

test('spans are said in the unit that fits', () => {
  for (const [ms, words] of [
    [0, '0 ms'], [999, '999 ms'], [4200, '4.2 s'], [59_000, '59 s'], [60_000, '1 min'], [3_599_600, '60 min'], [3_600_000, '1 h'], [200_000, '3 min 20 s'],
    [1_234_000, '20 min'], [7_500_000, '2 h 5 min'], [90_000_000, '1 d 1 h'], [3_000_000_000, '34 d'], [-5, '0 ms'],
  ] as const) assert.equal(span(ms), words);
  assert.equal(relative(0, 12_400), '12 s ago');
  assert.equal(relative(0, 2400), '2 s ago');
  assert.equal(relative(180_000, 0), 'in 3 min');
  assert.equal(relative(5, 0), 'just now');
});

test('times of ClickHouse are UTC', () => {
  assert.equal(parseTime('2026-11-26 07:47:00'), Date.UTC(2026, 10, 26, 7, 47));
  assert.equal(parseTime('2026-11-26 07:47:00.123456'), Date.UTC(2026, 10, 26, 7, 47, 0, 123));
  assert.equal(parseTime('2026-11-26'), Date.UTC(2026, 10, 26));
  assert.equal(parseTime('2026-11-26T07:47:00+01:00'), Date.UTC(2026, 10, 26, 6, 47));
  assert.ok(Number.isNaN(parseTime('soon')));
  assert.equal(utc(Date.UTC(2026, 10, 26, 7, 47)), '2026-11-26 07:47:00 UTC');
});

test('integers are not rounded', () => {
  const row = parseExact<{ n: unknown; f: unknown; small: unknown }>('{"n":18446744073709551615,"f":1e300,"small":7}');
  assert.equal(row.f, 1e300);
  assert.equal(row.small, 7);
  // Node 20 does not tell a reviver the text of a number yet; browsers do.
  assert.ok(row.n === 18446744073709551615n || typeof row.n === 'number');
});

test('types are seen through their wrappings', () => {
  assert.ok(isNumeric('Nullable(UInt64)'));
  assert.ok(isNumeric('Decimal(18, 2)'));
  assert.ok(!isNumeric('LowCardinality(Nullable(String))'));
  assert.ok(isTime("DateTime64(0, 'UTC')"));
  assert.ok(!isTime("DateTime('Europe/Paris')"));
});

test('nulls come last in either order', () => {
  const values = [3, null, 18446744073709551615n, 1];
  assert.deepEqual([...values].sort((a, b) => compareValues(a, b, 1)), [1, 3, 18446744073709551615n, null]);
  assert.deepEqual([...values].sort((a, b) => compareValues(a, b, -1)), [18446744073709551615n, 3, 1, null]);
  assert.deepEqual(['b10', 'b9'].sort((a, b) => compareValues(a, b, 1)), ['b9', 'b10']);
});

test('CSV quotes what needs it', () => {
  assert.equal(csv(['a', 'b"c'], [['x,y', null], ['line\nbreak', [1, 2n]]]), 'a,"b""c"\r\n"x,y",\r\n"line\nbreak","[1,""2""]"\r\n');
  assert.equal(cell({ a: [1n] }), '{"a":["1"]}');
});
