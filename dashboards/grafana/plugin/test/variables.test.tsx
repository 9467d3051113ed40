import { createDataFrame, FieldType, type DataFrame, type DataQueryRequest } from '@grafana/data';
import { screen, waitFor } from '@testing-library/react';
import React from 'react';
import { lastValueFrom } from 'rxjs';
import { beforeEach, describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { VariableQueryEditor } from '../src/components/VariableQueryEditor';
import type { MillraceVariableQuery } from '../src/query';
import { choices, MillraceVariables } from '../src/variables';
import { choose, edit, expectAccessible, options } from './editing';
import { Failure, leaderboards, startGrafana, streams, views, type Grafana } from './grafana';

let grafana: Grafana;

beforeEach(() => {
  grafana = startGrafana({ view: 'page_hits', country: "it's" });
  grafana.server.resource('views', views).resource('streams', streams).resource('leaderboards', leaderboards);
});

function editVariable(query: Partial<MillraceVariableQuery>) {
  return edit<MillraceVariableQuery>({ refId: 'v', ...query } as MillraceVariableQuery, (q, onChange, onRunQuery) => (
    <VariableQueryEditor datasource={grafana.datasource} query={q} onChange={onChange} onRunQuery={onRunQuery} />
  ));
}

/** ask runs a variable's query, as a dashboard does. */
async function ask(query: Partial<MillraceVariableQuery>): Promise<unknown[]> {
  const request = { targets: [{ refId: 'v', ...query }], scopedVars: {} } as DataQueryRequest<MillraceVariableQuery>;
  const answer = await lastValueFrom(new MillraceVariables(grafana.datasource).query(request));
  return answer.data as unknown[];
}

describe('the editor of variables', () => {
  test('a column of a view', async () => {
    const edited = editVariable({});
    await choose('View', 'page_hits');
    expect(await options('Column')).toEqual(['pageString', 'countryString']);
    await userEvent.keyboard('{Escape}');
    await choose('Column', 'country');
    expect(edited.query()).toMatchObject({ kind: 'values', view: 'page_hits', column: 'country' });
    await expectAccessible();
    await page.screenshot({ path: '../artefacts/variable.png' });
  });

  test('rows of SQL, checked', async () => {
    grafana.server.resource('check-sql', { ok: false, line: 1, column: 8, detail: 'there is no column nope' });
    const edited = editVariable({ kind: 'values' });
    await choose('Choose among', 'Rows of SQL', 'Rows');
    await userEvent.fill(await screen.findByRole('textbox', { name: 'SQL' }), 'SELECT nope FROM page_hits');
    expect(await screen.findByText('Line 1, column 8: there is no column nope')).toBeVisible();
    expect(edited.query()).toMatchObject({ kind: 'sql', sql: 'SELECT nope FROM page_hits' });
  });

  test('a server that is down', async () => {
    grafana.server.resource('views', new Failure(502, { error: 'connection refused' }));
    editVariable({ kind: 'values' });
    expect(await screen.findByText('connection refused')).toBeVisible();
  });
});

describe('what a variable is chosen from', () => {
  test('names', async () => {
    expect(await ask({ kind: 'views' })).toEqual([{ text: 'page_hits' }, { text: 'fresh_view' }]);
    expect(await ask({ kind: 'streams' })).toEqual([{ text: 'clicks' }]);
    expect(await ask({ kind: 'leaderboards' })).toEqual([{ text: 'top_players' }]);
  });

  test('values of a column, of a view that another variable names', async () => {
    grafana.server.resource('values', ['CH', 'AT']);
    expect(await ask({ kind: 'values', view: '$view', column: 'country' })).toEqual([{ text: 'CH' }, { text: 'AT' }]);
    expect(grafana.server.to('values')[0]?.params).toEqual({ view: 'page_hits', column: 'country' });
  });

  test('nothing is asked before there is a question', async () => {
    expect(await ask({ kind: 'values', view: 'page_hits' })).toEqual([]);
    expect(await ask({ kind: 'sql', sql: '  ' })).toEqual([]);
    expect(grafana.server.asked).toEqual([]);
  });

  test('rows of SQL, with other variables quoted', async () => {
    grafana.server.queries({
      results: {
        v: {
          frames: [
            {
              schema: { refId: 'v', fields: [{ name: 'page', type: FieldType.string }] },
              data: { values: [['/a', null, '/b']] },
            },
          ],
        },
      },
    });
    expect(await ask({ kind: 'sql', sql: 'SELECT page FROM page_hits WHERE country = $country' })).toEqual([
      { text: '/a', value: '/a' },
      { text: '/b', value: '/b' },
    ]);
    await waitFor(() => expect(grafana.server.to('query')).toHaveLength(1));
    const sent = grafana.server.to('query')[0]?.data as { queries: unknown[] };
    expect(sent.queries[0]).toMatchObject({ mode: 'sql', format: 'table', sql: "SELECT page FROM page_hits WHERE country = 'it\\'s'" });
  });

  test.each<[string, DataFrame, unknown]>([
    [
      'text and value by their names',
      createDataFrame({ fields: [{ name: '__value', values: [1, 2] }, { name: '__text', values: ['one', 'two'] }] }),
      [{ text: 'one', value: '1' }, { text: 'two', value: '2' }],
    ],
    [
      'times as ISO',
      createDataFrame({ fields: [{ name: 'day', type: FieldType.time, values: [0] }] }),
      [{ text: '1970-01-01T00:00:00.000Z', value: '1970-01-01T00:00:00.000Z' }],
    ],
    ['no column, no choice', createDataFrame({ fields: [] }), []],
  ])('%s', (_, frame, want) => {
    expect(choices(frame)).toEqual(want);
  });
});
