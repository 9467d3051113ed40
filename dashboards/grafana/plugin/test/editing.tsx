// Holds what an editor edits, as a dashboard does, and remembers what the editor did.
import type { CoreApp } from '@grafana/data';
import { screen, waitFor } from '@testing-library/react';
import axe from 'axe-core';
import React, { useLayoutEffect, useState } from 'react';
import { expect, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';

import { QueryEditor } from '../src/components/QueryEditor';
import type { MillraceQuery } from '../src/query';
import { show, type Grafana } from './grafana';

export interface Edited<Q> {
  /** The query as it is now. */
  query: () => Q;
  runs: ReturnType<typeof vi.fn>;
}

// How often the query has been changed, and how many of these changes are drawn.
let changes = 0;
let drawn = 0;

interface HolderProps<Q> {
  start: Q;
  onChange: (query: Q) => void;
  children: (query: Q, onChange: (query: Q) => void) => React.ReactElement;
}

function Holder<Q>({ start, onChange, children }: HolderProps<Q>) {
  const [query, setQuery] = useState(start);
  useLayoutEffect(() => {
    drawn = changes;
  }, [query]);
  return children(query, (next) => {
    changes++;
    setQuery(next);
    onChange(next);
  });
}

/** edit shows an editor of a query. */
export function edit<Q>(start: Q, editor: (query: Q, onChange: (query: Q) => void, onRun: () => void) => React.ReactElement, theme?: 'light'): Edited<Q> {
  let now = start;
  const runs = vi.fn();
  show(
    <Holder start={start} onChange={(q) => (now = q)}>
      {(query, onChange) => editor(query, onChange, runs)}
    </Holder>,
    theme
  );
  return { query: () => now, runs };
}

/** editQuery shows the query editor of panels. */
export function editQuery(grafana: Grafana, query: Partial<MillraceQuery>, app?: CoreApp, theme?: 'light'): Edited<MillraceQuery> {
  return edit<MillraceQuery>(
    { refId: 'A', ...query } as MillraceQuery,
    (q, onChange, onRunQuery) => (
      <QueryEditor datasource={grafana.datasource} query={q} onChange={onChange} onRunQuery={onRunQuery} app={app} />
    ),
    theme
  );
}

/** choose picks an option of a combobox as one does by keyboard: write, go down to it, Enter. */
export async function choose(label: string, option: string, typed = option.replace(/ [↓↑]$/, '')): Promise<void> {
  const before = changes;
  await open(label);
  await page.getByRole('combobox', { name: label, exact: true }).fill(typed);
  const wanted = () => screen.findByRole('option', { name: (name) => name.startsWith(option) });
  for (let steps = 0; (await wanted()).getAttribute('aria-selected') !== 'true'; steps++) {
    expect(steps, `options before “${option}”`).toBeLessThan(10);
    await userEvent.keyboard('{ArrowDown}');
  }
  await userEvent.keyboard('{Enter}');
  await waitFor(() => expect(changes > before && drawn === changes, `“${option}” is chosen and drawn`).toBe(true));
}

async function open(label: string): Promise<void> {
  (await screen.findByRole('combobox', { name: label })).focus();
  await userEvent.keyboard('{ArrowDown}');
  await screen.findAllByRole('option');
}

/** flip turns a switch, by keyboard. */
export async function flip(label: string): Promise<void> {
  (await screen.findByRole('switch', { name: label })).focus();
  await userEvent.keyboard(' ');
}

/** options opens a combobox and lists what it offers. */
export async function options(label: string): Promise<string[]> {
  await open(label);
  return screen.getAllByRole('option').map((o) => o.textContent ?? '');
}

/** expectAccessible fails on what axe finds serious. */
export async function expectAccessible(): Promise<void> {
  const found = await axe.run('main', { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
  const serious = found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
  expect(serious.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(' ')}`)).toEqual([]);
}
