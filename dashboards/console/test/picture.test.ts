import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sparkPath } from '../src/parts/sparkline.tsx';
import { shares } from '../src/parts/shares.ts';
import { channelWidth, race, wavePeriod } from '../src/race/geometry.ts';

test('the race fits into every width', () => {
  for (let width = 320; width <= 1600; width += 20) {
    const r = race(width);
    for (const [name, s] of Object.entries(r.stations)) {
      assert.ok(s.left >= 0 && s.left + s.width <= width, `${name} at ${width}`);
      assert.ok(s.y > 0 && s.y < r.height, `${name} at ${width}`);
    }
    assert.ok(r.spill.left + 60 < width && r.spill.top < r.height);
  }
});

test('words of neighbours do not meet', () => {
  for (const width of [760, 1000, 1400]) {
    const { clients, ingest, log, lake, batch } = race(width).stations;
    for (const [a, b] of [[clients, ingest], [ingest, log], [lake, batch]] as const) assert.ok(a.left + a.width <= b.left, `at ${width}`);
  }
});

test('more events make more water, and none stand still', () => {
  assert.ok(channelWidth(10) < channelWidth(1000) && channelWidth(1e6) < 24);
  assert.equal(wavePeriod(0), 0);
  assert.ok(wavePeriod(1) > wavePeriod(1000));
});

test('a sparkline ends at the right edge', () => {
  assert.equal(sparkPath([], 120, 20), '');
  assert.match(sparkPath([0, 5], 120, 20), /^M119\.0 19\.0 L120\.0 1\.0$/);
});

test('a range is batch up to the cut', () => {
  const at = (s: number): string => new Date(s * 1000).toISOString();
  assert.equal(shares({ cut_time: null }, undefined, 0).batch, 0);
  assert.equal(shares({ cut_time: at(50), from: at(0), to: at(100) }, undefined, 200_000).batch, 0.5);
  assert.equal(shares({ cut_time: at(50), from: at(0) }, undefined, 200_000).batch, 0.25);
  assert.equal(shares({ cut_time: at(50), from: at(60) }, undefined, 200_000).batch, 0);
  assert.equal(shares({ cut_time: at(250), from: at(60), to: at(100) }, undefined, 300_000).batch, 1);
});
