import { CoreApp, dateTime, StreamingFrameAction, type AnnotationQuery, type DataQueryRequest } from '@grafana/data';
import { screen, waitFor } from '@testing-library/react';
import React from 'react';
import { lastValueFrom, take, toArray } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { annotationSupport } from '../src/annotations';
import { AnnotationEditor } from '../src/components/AnnotationEditor';
import { QueryHelp } from '../src/components/QueryHelp';
import type { MillraceQuery } from '../src/query';
import { edit, expectAccessible } from './editing';
import { Failure, show, startGrafana } from './grafana';

function request(...targets: MillraceQuery[]): DataQueryRequest<MillraceQuery> {
  const range = { from: dateTime(1000), to: dateTime(61_000), raw: { from: 'now-1m', to: 'now' } };
  return {
    requestId: 'r',
    interval: '1s',
    intervalMs: 1000,
    maxDataPoints: 60,
    range,
    rangeRaw: range.raw,
    scopedVars: { __interval: { text: '1s', value: '1s' } },
    targets,
    timezone: 'utc',
    app: 'dashboard',
    startTime: 0,
  };
}

const frame = (meta: object) => ({
  results: { A: { frames: [{ schema: { refId: 'A', meta, fields: [{ name: 'hits', type: 'number' }] }, data: { values: [[1]] } }] } },
});

describe('a query', () => {
  test('goes to the back end with its variables filled in and its macros left', async () => {
    const grafana = startGrafana({ page: "/o'" });
    grafana.server.queries(frame({ custom: { generation: 7 } }));
    const sql = 'SELECT $__interval FROM clicks WHERE page = $page';
    const answer = await lastValueFrom(grafana.datasource.query(request({ refId: 'A', mode: 'sql', sql })));
    const sent = grafana.server.to('query')[0]?.data as { from: string; queries: MillraceQuery[] };
    expect(sent.from).toBe('1000');
    expect(sent.queries[0]).toMatchObject({ mode: 'sql', sql: "SELECT $__interval FROM clicks WHERE page = '/o\\''", intervalMs: 1000 });
    expect(answer.data[0]).toMatchObject({ refId: 'A', length: 1, meta: { custom: { generation: 7 } } });
  });

  test('fails with what the back end says', async () => {
    const grafana = startGrafana();
    grafana.server.queries(new Failure(400, { message: 'line 1, column 8: there is no column nope' }));
    const answer = await lastValueFrom(grafana.datasource.query(request({ refId: 'A', mode: 'sql', sql: 'SELECT nope' })));
    expect(answer.errors?.[0]?.message ?? answer.error?.message).toContain('there is no column nope');
  });

  test('that says too little is not run', () => {
    const { datasource } = startGrafana();
    const run = (q: Partial<MillraceQuery>) => datasource.filterQuery({ refId: 'A', ...q } as MillraceQuery);
    expect(run({ mode: 'view' })).toBe(false);
    expect(run({ mode: 'view', view: 'v' })).toBe(true);
    expect(run({ mode: 'view', view: 'v', hide: true })).toBe(false);
    expect(run({ mode: 'sql', sql: ' \n' })).toBe(false);
    expect(run({ mode: 'sql', sql: 'SELECT 1' })).toBe(true);
    expect(run({ mode: 'leaderboard' })).toBe(false);
    expect(run({ mode: 'leaderboard', board: 'b' })).toBe(true);
    expect(run({ mode: 'operations' })).toBe(true);
  });

  test('starts as SQL in Explore, as a view in a panel', () => {
    const { datasource } = startGrafana();
    expect(datasource.getDefaultQuery(CoreApp.Explore)).toMatchObject({ mode: 'sql', format: 'table' });
    expect(datasource.getDefaultQuery(CoreApp.PanelEditor)).toMatchObject({ mode: 'view', format: 'time_series' });
  });

  test.each<[Partial<MillraceQuery>, string]>([
    [{ mode: 'view', view: 'v', by: ['a', 'b'], where: 'a = 1' }, 'view v by a, b where a = 1'],
    [{ mode: 'sql', sql: 'SELECT 1' }, 'SELECT 1'],
    [{ mode: 'leaderboard', board: 'b', window: 'day' }, 'leaderboard b day'],
    [{ mode: 'operations', table: 'errors' }, 'operations errors'],
  ])('is told in a line: %o', (query, want) => {
    expect(startGrafana().datasource.getQueryDisplayText({ refId: 'A', ...query } as MillraceQuery)).toBe(want);
  });
});

describe('a live query', () => {
  const live: MillraceQuery = { refId: 'A', mode: 'view', view: 'v', live: true };
  const channel = 'ds/millrace-uid/view/abc';

  test('follows the channel that the back end names', async () => {
    const grafana = startGrafana();
    grafana.server.queries(frame({ channel, custom: { stream: 'replace' } }));
    const answers = lastValueFrom(grafana.datasource.query(request(live)).pipe(take(1), toArray()));
    await waitFor(() => expect(grafana.live.subscribed).toHaveLength(1));
    expect(grafana.live.address()).toEqual({ scope: 'ds', stream: 'millrace-uid', path: 'view/abc' });
    expect(grafana.live.subscribed[0]?.buffer?.action).toBe(StreamingFrameAction.Replace);
    grafana.live.messages.next({ data: ['the next answer'] });
    expect((await answers)[0]?.data).toEqual(['the next answer']);
  });

  test('goes on where the back end sends row after row', async () => {
    const grafana = startGrafana();
    grafana.server.queries(frame({ channel, custom: { stream: 'append' } }));
    const subscription = grafana.datasource.query(request({ ...live, mode: 'operations' })).subscribe();
    await waitFor(() => expect(grafana.live.subscribed).toHaveLength(1));
    expect(grafana.live.subscribed[0]?.buffer).toMatchObject({ action: StreamingFrameAction.Append, maxDelta: 60_000 });
    subscription.unsubscribe();
  });
});

test('the help’s examples become the query', async () => {
  const grafana = startGrafana();
  const used = vi.fn();
  show(<QueryHelp datasource={grafana.datasource} query={{ refId: 'B', mode: 'view', view: 'v' }} onClickExample={used} />);
  await userEvent.click(screen.getByRole('button', { name: 'Use: The newest rows' }));
  expect(used).toHaveBeenCalledWith(expect.objectContaining({ refId: 'B', mode: 'sql', sql: expect.stringContaining('ORDER BY ts DESC') as string }));
  await expectAccessible();
});

describe('annotations', () => {
  const annotation = (target?: Partial<MillraceQuery>) => ({ name: 'deploys', enable: true, iconColor: 'red', target }) as AnnotationQuery<MillraceQuery>;

  test('are rows of SQL, and never live', () => {
    const sql = 'SELECT ts AS time, version AS text FROM deploys';
    expect(annotationSupport.prepareQuery?.(annotation({ refId: 'Anno', mode: 'sql', sql, live: true }))).toEqual({
      refId: 'Anno',
      mode: 'sql',
      sql,
      format: 'annotations',
      live: false,
    });
    expect(annotationSupport.prepareQuery?.(annotation())).toBeUndefined();
    expect(annotationSupport.prepareQuery?.(annotation({ mode: 'sql', sql: '' }))).toBeUndefined();
  });

  test('are edited as SQL', async () => {
    const grafana = startGrafana();
    grafana.server.resource('check-sql', { ok: true });
    edit<MillraceQuery>({ refId: 'Anno', mode: 'sql', sql: 'SELECT 1 AS time' }, (query, onChange, onRunQuery) => (
      <AnnotationEditor datasource={grafana.datasource} query={query} onChange={onChange} onRunQuery={onRunQuery} />
    ));
    await screen.findByRole('textbox', { name: /^SQL/ }, { timeout: 20_000 });
    expect(screen.getByText(/Each row is an annotation/)).toBeVisible();
    await expectAccessible();
    await page.screenshot({ path: '../artefacts/annotation.png' });
  });
});
