import { CoreApp } from '@grafana/data';
import { screen, waitFor } from '@testing-library/react';
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { choose, editQuery, expectAccessible, flip, options } from './editing';
import { Failure, startGrafana, views } from './grafana';

test('a view is chosen, then its measures and groups', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views);
  const edited = editQuery(grafana, {});

  await choose('View', 'page_hits');
  expect(edited.query()).toMatchObject({ mode: 'view', view: 'page_hits', by: [], format: 'time_series', step: '' });

  expect(await options('Measures')).toEqual(['hitsUInt64', 'usersUInt64']);
  await userEvent.keyboard('{Escape}');
  await choose('Measures', 'users');
  expect(edited.query().measures).toEqual(['users']);

  await userEvent.keyboard('{Escape}');
  await choose('Group by', 'country');
  expect(edited.query().by).toEqual(['country']);
  expect(edited.runs).toHaveBeenCalledTimes(3);
  await userEvent.keyboard('{Escape}');
  await expectAccessible();
  await page.screenshot({ path: '../artefacts/view-dark.png' });
});

test('no group and group columns exclude each other', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views);
  const edited = editQuery(grafana, { mode: 'view', view: 'page_hits', by: ['page'] });
  await choose('Group by', '(none)');
  expect(edited.query().by).toEqual([]);
  await userEvent.keyboard('{Escape}');
  await choose('Group by', 'country');
  expect(edited.query().by).toEqual(['country']);
});

test('another view forgets the columns of the one before', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views);
  const edited = editQuery(grafana, { mode: 'view', view: 'page_hits', measures: ['hits'], by: ['page'], order: '-hits' });
  await choose('View', 'fresh_view');
  expect(edited.query()).toMatchObject({ view: 'fresh_view', by: [] });
  expect(edited.query().measures).toBeUndefined();
  expect(edited.query().order).toBeUndefined();
  expect(await screen.findByText(/fresh_view is backfilling/)).toBeVisible();
});

test('order, step and limit', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views);
  const edited = editQuery(grafana, { mode: 'view', view: 'page_hits' });
  await choose('Order by', 'hits ↓');
  await userEvent.keyboard('{Escape}');
  await choose('Order by', 'page ↑');
  expect(edited.query().order).toBe('-hits,page');

  await choose('Step', 'Whole range', 'Whole');
  expect(edited.query().step).toBe('none');
  await choose('Step', '10m');
  expect(edited.query().step).toBe('10m');
  await choose('Step', 'Panel’s interval', 'Panel');
  expect(edited.query().step).toBe('');

  const limit = screen.getByRole('spinbutton', { name: 'Limit' });
  await userEvent.fill(limit, '20');
  expect(edited.query().limit).toBe(20);
  await userEvent.fill(limit, '0');
  expect(edited.query().limit).toBeUndefined();
});

test('a condition is checked while it is written, with its variables filled in', async () => {
  const grafana = startGrafana({ page: ["it's"] });
  grafana.server.resource('views', views).resource('check-where', (request: { data: { where: string } }) =>
    request.data.where.includes('nope')
      ? { ok: false, line: 1, column: 1, detail: 'there is no column nope', hint: 'columns: page, country' }
      : { ok: true }
  );
  const edited = editQuery(grafana, { mode: 'view', view: 'page_hits' });
  await screen.findByPlaceholderText('page IN ($variable)'); // the view is there
  const where = screen.getByRole('textbox', { name: 'Where' });

  await userEvent.fill(where, 'nope = 1');
  expect(await screen.findByText('Line 1, column 1: there is no column nope (columns: page, country)')).toBeVisible();
  await page.screenshot({ path: '../artefacts/view-where-wrong.png' });

  await userEvent.fill(where, 'page IN ($page)');
  await waitFor(() => expect(grafana.server.to('check-where').at(-1)?.data).toEqual({ view: 'page_hits', where: "page IN ('it\\'s')" }));
  await waitFor(() => expect(screen.queryByText(/there is no column/)).toBeNull());
  expect(edited.query().where).toBe('page IN ($page)');
  expect(edited.runs).not.toHaveBeenCalled();
  await userEvent.keyboard('{Enter}');
  expect(edited.runs).toHaveBeenCalledOnce();
});

test('a condition that could not be checked is not called wrong', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views).resource('check-where', new Failure(502, { error: 'Millrace is away' }));
  editQuery(grafana, { mode: 'view', view: 'page_hits', where: 'page = 1' });
  expect(await screen.findByRole('status')).toHaveTextContent('Not checked: Millrace is away');
  expect(screen.getByRole('textbox', { name: 'Where' })).not.toHaveAttribute('aria-invalid', 'true');
});

test('while the views are on their way, it says so', async () => {
  const grafana = startGrafana();
  let send: (answer: unknown) => void = () => undefined;
  grafana.server.resource('views', () => new Promise((resolve) => (send = resolve)));
  editQuery(grafana, {});
  const view = await screen.findByRole('combobox', { name: 'View' });
  expect(view).toHaveAttribute('placeholder', 'Loading…');
  await waitFor(() => expect(grafana.server.to('views')).toHaveLength(1));
  send(views);
  await waitFor(() => expect(view).toHaveAttribute('placeholder', 'Choose a view'));
});

test('a server that is down is told, and asked again', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', new Failure(502, { error: 'dial tcp 127.0.0.1:8080: connection refused', hint: 'start Millrace, or correct the URL' }));
  editQuery(grafana, { mode: 'view', view: 'page_hits' });
  expect(await screen.findByText(/connection refused \(start Millrace, or correct the URL\)/)).toBeVisible();
  expect(screen.queryByText(/There is no view/)).toBeNull();
  await page.screenshot({ path: '../artefacts/view-down.png' });

  grafana.server.resource('views', views);
  await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
  await waitFor(() => expect(screen.queryByText(/connection refused/)).toBeNull());
  expect(await options('View')).toEqual(['page_hitsof clicks', 'fresh_viewof clicks, backfilling']);
});

test('a view that is not there is told; a variable is not', async () => {
  const grafana = startGrafana({ view: 'page_hits' });
  grafana.server.resource('views', views);
  editQuery(grafana, { mode: 'view', view: 'gone' });
  expect(await screen.findByText('There is no view “gone”, or the token may not read it.')).toBeVisible();
  await choose('View', '$view');
  await waitFor(() => expect(screen.queryByText(/There is no view/)).toBeNull());
  expect(await options('Measures')).toEqual(['hitsUInt64', 'usersUInt64']); // of the view that the variable names
});

test('live is offered where it can be', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views).resource('check-sql', { ok: true });
  const edited = editQuery(grafana, { mode: 'view', view: 'page_hits' });
  await flip('Live');
  expect(edited.query().live).toBe(true);
  await userEvent.click(screen.getByRole('radio', { name: 'SQL' }));
  expect(edited.query()).toMatchObject({ mode: 'sql', view: 'page_hits' });
  expect(edited.query().live).toBeUndefined();
  expect(screen.queryByRole('switch', { name: 'Live' })).toBeNull();
});

test('an alert rule has no live switch', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views);
  editQuery(grafana, { mode: 'view' }, CoreApp.UnifiedAlerting);
  await screen.findByRole('combobox', { name: 'View' });
  expect(screen.queryByRole('switch', { name: 'Live' })).toBeNull();
});

test('in the light theme too', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', views);
  editQuery(grafana, { mode: 'view', view: 'page_hits', measures: ['hits'], by: ['page'], order: '-hits' }, undefined, 'light');
  await screen.findByText('hits ↓');
  await expectAccessible();
  await page.screenshot({ path: '../artefacts/view-light.png' });
});
