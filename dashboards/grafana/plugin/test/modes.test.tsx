import { screen, waitFor } from '@testing-library/react';
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { choose, editQuery, expectAccessible, flip, options } from './editing';
import { Failure, leaderboards, startGrafana } from './grafana';

test('a leaderboard is chosen, with one of its windows', async () => {
  const grafana = startGrafana();
  grafana.server.resource('leaderboards', leaderboards);
  const edited = editQuery(grafana, { mode: 'leaderboard' });
  await choose('Leaderboard', 'top_players');
  expect(await options('Window')).toEqual(['all', 'day']);
  await userEvent.keyboard('{Escape}');
  await choose('Window', 'day');
  await userEvent.fill(screen.getByRole('spinbutton', { name: 'Members' }), '25');
  await flip('Live');
  expect(edited.query()).toMatchObject({ mode: 'leaderboard', board: 'top_players', window: 'day', n: 25, live: true });
  expect(screen.queryByRole('radiogroup', { name: 'Format' })).toBeNull();
  await expectAccessible();
  await page.screenshot({ path: '../artefacts/leaderboard.png' });
});

test('a leaderboard or window that is not there, and too many members, are told', async () => {
  const grafana = startGrafana();
  grafana.server.resource('leaderboards', leaderboards);
  editQuery(grafana, { mode: 'leaderboard', board: 'top_players', window: 'year', n: 1001 });
  expect(await screen.findByText('There is no window “year”, or the token may not read it.')).toBeVisible();
  expect(screen.getByText('At most 1,000 members')).toBeVisible();
});

test('a server without leaderboards for this token says why', async () => {
  const grafana = startGrafana();
  grafana.server.resource('leaderboards', new Failure(401, { error: 'the token is revoked', hint: 'make another' }));
  editQuery(grafana, { mode: 'leaderboard' });
  expect(await screen.findByText('the token is revoked (make another)')).toBeVisible();
});

test('operations: a table, live where the server pushes it', async () => {
  const grafana = startGrafana();
  const edited = editQuery(grafana, { mode: 'operations' });
  await flip('Live');
  expect(edited.query()).toMatchObject({ mode: 'operations', live: true });
  await choose('About', 'Batch runs');
  expect(edited.query().table).toBe('batches');
  expect(edited.query().live).toBeUndefined();
  expect(screen.queryByRole('switch', { name: 'Live' })).toBeNull();
  await expectAccessible();
});

test('all of it by keyboard: from mode to mode with the arrows', async () => {
  const grafana = startGrafana();
  grafana.server.resource('views', null).resource('leaderboards', leaderboards);
  const edited = editQuery(grafana, { mode: 'leaderboard' });
  screen.getByRole('radio', { name: 'Leaderboard' }).focus();
  await userEvent.keyboard('{ArrowRight}');
  await waitFor(() => expect(edited.query().mode).toBe('operations'));
  await userEvent.keyboard('{ArrowRight}');
  await waitFor(() => expect(edited.query().mode).toBe('view'));
});
