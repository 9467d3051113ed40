import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';

import { interpolateQuery, interpolateSQL } from '../src/interpolate';
import type { MillraceQuery } from '../src/query';
import { contexts } from '../src/sql/contexts';
import { startGrafana } from './grafana';

/** decode reads a quoted string as ClickHouse does; the text must be one such string and nothing else. */
function decode(quoted: string): string {
  const quote = quoted.charAt(0);
  let text = '';
  let at = 1;
  for (; at < quoted.length; at++) {
    const c = quoted.charAt(at);
    if (c === '\\') {
      at++;
      const next = quoted.charAt(at);
      text += { n: '\n', t: '\t', r: '\r', '0': '\0', b: '\b', f: '\f', v: '\v', a: '\x07' }[next] ?? (`\\'"\`/`.includes(next) ? next : `\\${next}`);
    } else if (c !== quote) {
      text += c;
    } else if (quoted.charAt(at + 1) === quote) {
      text += quote;
      at++;
    } else {
      break;
    }
  }
  expect(at, `one string, ended by its last character: ${quoted}`).toBe(quoted.length - 1);
  return text;
}

// What could end a string, begin a comment or look like a variable, more often than chance would have it.
const nasty = fc.constantFrom("'", '"', '`', '\\', '\\\\', "''", "\\'", '--', '/*', '*/', '#', '\n', '\0', '$x', '${x}', '[[x]]', ')', ';', '%', 'é', '🎡');
const value = fc.array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 8 }).map((parts) => parts.join(''));
const several = fc.array(value, { minLength: 1, maxLength: 5 });

describe('a value in SQL', () => {
  test('where SQL is, it is one quoted string that holds it', () => {
    fc.assert(
      fc.property(value, (v) => {
        startGrafana({ x: v });
        const sql = interpolateSQL('SELECT $x');
        expect(decode(sql.slice('SELECT '.length))).toBe(v);
      })
    );
  });

  test('several are a list of such strings', () => {
    fc.assert(
      fc.property(several, (vs) => {
        startGrafana({ x: vs });
        const strings = contexts(interpolateSQL('page IN (${x})')).filter((p) => p.context === 'string');
        // Two strings side by side are read as one with a doubled quote, so commas are what must part them.
        expect(strings.map((p) => decode(p.text))).toEqual(vs);
      })
    );
  });

  test('within a string that is there already, it stays inside of it', () => {
    fc.assert(
      fc.property(value, (v) => {
        startGrafana({ x: v });
        const sql = interpolateSQL("page LIKE '%$x%' -- end");
        const parts = contexts(sql);
        expect(parts.map((p) => p.context)).toEqual(['code', 'string', 'code', 'comment']);
        expect(decode(parts[1]?.text ?? '')).toBe(`%${v}%`);
      })
    );
  });

  test('within a quoted name, it stays inside of it', () => {
    fc.assert(
      fc.property(value, fc.constantFrom('`', '"'), (v, quote) => {
        startGrafana({ x: v });
        const parts = contexts(interpolateSQL(`SELECT ${quote}$x${quote} FROM t`));
        expect(parts.map((p) => p.context)).toEqual(['code', 'name', 'code']);
        expect(decode(parts[1]?.text ?? '')).toBe(v);
      })
    );
  });

  test('in a comment, it is not written at all', () => {
    startGrafana({ x: "*/ DROP --\n'" });
    for (const sql of ['/* $x */ SELECT 1', 'SELECT 1 -- $x', 'SELECT 1 # $x\n', '/* a /* $x */ $x */ SELECT 1']) {
      expect(interpolateSQL(sql)).toBe(sql);
    }
  });
});

describe('interpolation', () => {
  beforeEach(() => {
    startGrafana({ one: "O'Neill", many: ['a', 'b,c'], none: [], number: 7, fields: ['page', 'country'], name: 'hits', __from: '1700000000000' });
  });

  test.each([
    ['numbers are not quoted', 'LIMIT $number', 'LIMIT 7'],
    ['a quoted list works with quotes around it too', "page IN ('$many')", "page IN ('a','b,c')"],
    ['nothing chosen matches nothing', 'page IN ($none)', 'page IN (NULL)'],
    ['raw is as it is', 'SELECT ${name:raw}', 'SELECT hits'],
    ['an unknown variable stays', 'SELECT $other', 'SELECT $other'],
    ['the old way to write one', 'SELECT [[one]]', "SELECT 'O\\'Neill'"],
    ['a list of names in quotes', 'SELECT `$fields`', 'SELECT `page`,`country`'],
    ['an array is no variable', 'SELECT [[1, 2]]', 'SELECT [[1, 2]]'],
    ['macros are the back end’s', "WHERE $__timeFilter(ts) AND x > $__from AND '$__interval' != ''", "WHERE $__timeFilter(ts) AND x > $__from AND '$__interval' != ''"],
    ['with braces it is Grafana’s', 'SELECT ${__from}', "SELECT '1700000000000'"],
  ])('%s', (_, sql, want) => {
    expect(interpolateSQL(sql, { __interval: { text: '1s', value: '1s' }, __interval_ms: { text: '1000', value: 1000 } })).toBe(want);
  });

  test('of a query: SQL is quoted, names are not', () => {
    const query: MillraceQuery = {
      refId: 'A',
      mode: 'view',
      view: '$name',
      measures: ['$name', 'users'],
      by: ['${fields}'],
      where: 'page = $one',
      order: '-$name',
      step: '$step',
      board: '$name',
      window: '$window',
      sql: 'SELECT $one',
      limit: 10,
    };
    expect(interpolateQuery(query, { step: { text: '5m', value: '5m' } })).toEqual({
      ...query,
      view: 'hits',
      measures: ['hits', 'users'],
      by: ['page', 'country'],
      where: "page = 'O\\'Neill'",
      order: '-hits',
      step: '5m',
      board: 'hits',
      sql: "SELECT 'O\\'Neill'",
    });
  });

  test('no group columns and all group columns stay apart', () => {
    expect(interpolateQuery({ refId: 'A', mode: 'view', by: [] }, {}).by).toEqual([]);
    expect(interpolateQuery({ refId: 'A', mode: 'view' }, {}).by).toBeUndefined();
  });
});

test('contexts are the text again when joined, whatever it is', () => {
  fc.assert(
    fc.property(value, (sql) => {
      expect(contexts(sql).map((p) => p.text).join('')).toBe(sql);
    })
  );
});
