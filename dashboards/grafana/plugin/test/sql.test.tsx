import { screen, waitFor } from '@testing-library/react';
import * as monaco from 'monaco-editor';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { placeAt, tablesOf } from '../src/sql/completion';
import { editQuery, expectAccessible } from './editing';
import { Failure, leaderboards, startGrafana, streams, views, type Grafana } from './grafana';

let grafana: Grafana;

beforeEach(() => {
  grafana = startGrafana({ country: ['CH', 'AT'], number: 10 });
  grafana.server
    .resource('check-sql', { ok: true })
    .resource('views', views)
    .resource('streams', streams)
    .resource('leaderboards', leaderboards)
    .resource('functions', ['count', 'countIf', 'uniq'])
    .resource('macros', [
      { name: '$__timeFilter', args: ['column'], help: 'keeps the range of the panel' },
      { name: '$__fromTime', args: null, help: 'the start of the range' },
    ])
    .resource('columns', (request: { params: { table: string } }) =>
      request.params.table === 'page_hits' ? views[0]?.columns : streams[0]?.columns
    );
});

// An editor leaves its text behind with the markers on it.
afterEach(() => monaco.editor.getModels().forEach((model) => model.dispose()));

/** write goes to the end of the editor, and types there. */
async function write(text = ''): Promise<void> {
  const field = await screen.findByRole('textbox', { name: /^SQL/ }, { timeout: 20_000 });
  field.focus();
  await userEvent.keyboard('{Control>}{End}{/Control}');
  if (text) {
    await userEvent.keyboard(text);
  }
}

/** suggestions lists what the editor's menu offers, once it is there. */
async function suggestions(): Promise<string[]> {
  await userEvent.keyboard('{Control>} {/Control}');
  await waitFor(() => expect(document.querySelector('.suggest-widget.visible .monaco-list-row')).not.toBeNull(), { timeout: 10_000 });
  return [...document.querySelectorAll('.suggest-widget .monaco-list-row')].map((row) => row.getAttribute('aria-label') ?? '');
}

/** underlined is the text under each of the editor's markers. */
function underlined(): string[] {
  return monaco.editor.getModelMarkers({}).map((m) => monaco.editor.getModel(m.resource)?.getValueInRange(m) ?? '');
}

describe('the SQL editor', () => {
  test('edits, and runs by keyboard', async () => {
    const edited = editQuery(grafana, { mode: 'sql', sql: 'SELECT ' });
    await write('1');
    await waitFor(() => expect(edited.query().sql).toBe('SELECT 1'));
    expect(edited.runs).not.toHaveBeenCalled();
    await userEvent.keyboard('{Control>}{Enter}{/Control}');
    expect(edited.runs).toHaveBeenCalledOnce();
    await expectAccessible();
  });

  test('marks what the server would refuse, at its place', async () => {
    grafana.server.resource('check-sql', { ok: false, line: 2, column: 15, detail: 'there is no table nope', hint: 'tables: clicks, page_hits' });
    editQuery(grafana, { mode: 'sql', sql: 'SELECT count()\n/* é🎡 */ FROM nope' });
    await screen.findByRole('textbox', { name: /^SQL/ }, { timeout: 20_000 });
    const told = 'Line 2, column 15: there is no table nope (tables: clicks, page_hits)';
    expect((await screen.findByText(told)).closest('[role=alert]')).not.toBeNull();
    await waitFor(() => expect(underlined()).toEqual(['nope']));
    await page.screenshot({ path: '../artefacts/sql-wrong.png' });
  });

  test('checks with the variables filled in and the macros left alone', async () => {
    editQuery(grafana, { mode: 'sql', sql: 'SELECT 1 FROM clicks WHERE $__timeFilter(ts) AND country IN ($country)' });
    await waitFor(() =>
      expect(grafana.server.to('check-sql').at(-1)?.data).toEqual({
        sql: "SELECT 1 FROM clicks WHERE $__timeFilter(ts) AND country IN ('CH','AT')",
      })
    );
  });

  test('says when it could not check, without calling the text wrong', async () => {
    grafana.server.resource('check-sql', new Failure(502, { error: 'Millrace is away' }));
    editQuery(grafana, { mode: 'sql', sql: 'SELECT 1' });
    expect((await screen.findByText('Not checked: Millrace is away')).closest('[role=status]')).not.toBeNull();
    expect(underlined()).toEqual([]);
  });

  test('underlines the whole line where a variable moved its columns', async () => {
    grafana.server.resource('check-sql', { ok: false, line: 1, column: 40, detail: 'no' });
    editQuery(grafana, { mode: 'sql', sql: 'SELECT $country, nope' });
    await screen.findByText('Line 1, column 40: no');
    await waitFor(() => expect(underlined()).toEqual(['SELECT $country, nope']));
  });

  test('is no trap for the keyboard', async () => {
    editQuery(grafana, { mode: 'sql', sql: 'SELECT 1' });
    await write();
    await userEvent.keyboard('{Control>}m{/Control}{Tab}');
    expect(document.activeElement).not.toBe(screen.getByRole('textbox', { name: /^SQL/ }));
  });

  test('completes tables after FROM', async () => {
    editQuery(grafana, { mode: 'sql', sql: 'SELECT 1 FROM ' });
    await write();
    const offered = await suggestions();
    expect(offered.join('\n')).toMatch(/clicks[\s\S]*fresh_view[\s\S]*page_hits[\s\S]*top_players/);
    await page.screenshot({ path: '../artefacts/sql-completion.png' });
  });

  test('completes the columns of the tables in the statement, and functions', async () => {
    const edited = editQuery(grafana, { mode: 'sql', sql: 'SELECT ts FROM clicks WHERE cou' });
    await write();
    expect((await suggestions()).join('\n')).toMatch(/count[\s\S]*countIf/);
    await userEvent.keyboard('{Enter}');
    await waitFor(() => expect(edited.query().sql).toBe('SELECT ts FROM clicks WHERE count()'));
  });

  test('completes the columns of an alias', async () => {
    editQuery(grafana, { mode: 'sql', sql: 'SELECT 1 FROM page_hits AS p WHERE p.' });
    await write();
    expect((await suggestions()).map((s) => s.split(/[\s,]/)[0])).toEqual(['country', 'hits', 'page', 'users', 'window_start']);
  });

  test('completes macros and variables, and writes a macro with its place', async () => {
    const edited = editQuery(grafana, { mode: 'sql', sql: 'SELECT 1 FROM clicks WHERE $' });
    await write();
    const offered = (await suggestions()).join('\n');
    expect(offered).toMatch(/\$__fromTime[\s\S]*\$__timeFilter[\s\S]*\$country/);
    await write('__timeF');
    await userEvent.keyboard('{Enter}');
    await waitFor(() => expect(edited.query().sql).toBe('SELECT 1 FROM clicks WHERE $__timeFilter(column)'));
  });

  test('goes on without lists that cannot be had', async () => {
    grafana.server.resource('functions', new Failure(502, { error: 'away' })).resource('columns', new Failure(502, { error: 'away' }));
    editQuery(grafana, { mode: 'sql', sql: 'SELECT 1 FROM clicks WHER' });
    await write();
    expect((await suggestions()).join('\n')).toMatch(/WHERE/);
  });
});

describe('where a completion is asked for', () => {
  test.each([
    ['SELECT |', { word: '', before: 'SELECT ' }],
    ['SELECT co|unt', { word: 'co', before: 'SELECT ' }],
    ['SELECT $__ti|', { word: '$__ti', before: 'SELECT ' }],
    ["SELECT 'a|b'", undefined],
    ['SELECT 1 -- a|b', undefined],
    ["SELECT 'ab'|", { word: '', before: "SELECT 'ab'" }],
  ])('%s', (text, want) => {
    const place = placeAt(text.replace('|', ''), text.indexOf('|'));
    expect(place && { word: place.word, before: place.before }).toEqual(want);
  });

  test('tables are found by name and alias', () => {
    const code = 'SELECT * FROM a x JOIN default.b AS y USING k LEFT JOIN c ON 1 WHERE d';
    expect([...tablesOf(code)]).toEqual([['a', 'a'], ['x', 'a'], ['b', 'b'], ['y', 'b'], ['c', 'c']]);
  });
});
