// Small parts of every page: times, problems, empty states, marks of liveness.

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { Problem } from '../api/client.ts';
import type { LinkState } from '../api/subscribe.ts';
import { local, relative, utc } from '../format/time.ts';
import { now } from '../state/clock.ts';

/** A time in the browser's zone, with UTC on hover; `ago` says how long since. */
export function Time({ at, ago = false }: { at: string | number | null | undefined; ago?: boolean }) {
  if (at === null || at === undefined) return <span class="dim">never</span>;
  const ms = typeof at === 'number' ? at : Date.parse(at);
  if (Number.isNaN(ms)) return <span>{String(at)}</span>;
  return <time dateTime={new Date(ms).toISOString()} title={ago ? `${local(ms)} here, ${utc(ms)}` : utc(ms)}>{ago ? relative(ms, now.value) : local(ms)}</time>;
}

/** A problem as the server told it: what was wrong and what to do. */
export function ProblemNote({ problem, action }: { problem: Problem; action?: ComponentChildren }) {
  const where = problem.line ? ` (line ${problem.line}, column ${problem.column})` : '';
  return (
    <div class="note note-bad" role="alert">
      <p><strong>{heading(problem)}</strong> {problem.detail}{where}</p>
      {problem.hint && <p class="dim">{problem.hint}</p>}
      {action}
    </div>
  );
}

/** A part of the console that is loaded when it is needed did not come. */
export const partMissing: Problem = {
  type: 'part-missing', title: '', status: 404, detail: 'A part of the console could not be loaded.',
  hint: 'The server may have been upgraded since this page was opened: load the page again.',
};

function heading(problem: Problem): string {
  switch (problem.status) {
    case 0: return 'No answer.';
    case 403: return 'Your token lacks a right.';
    case 404: return 'Not there.';
    case 429: return 'Too much at once.';
    case 503: return 'Not at the moment.';
    case 504: return 'It took too long.';
    default: return problem.status >= 500 ? 'The server failed.' : 'Refused.';
  }
}

export function Notice({ children }: { children: ComponentChildren }) {
  return <div class="note note-warn" role="status">{children}</div>;
}

/** What there is to do where there is nothing to see. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** A command to copy by hand. */
export function Command({ children }: { children: string }) {
  return <pre class="command" tabIndex={0}><code>{children}</code></pre>;
}

export function Loading({ what }: { what: string }) {
  return <p class="dim loading" role="status">Asking for {what}…</p>;
}

/** How long a picture may be without news before it is called stale. */
const staleMillis = 10_000;

/** Says whether what is seen is live, and how old it is where it is not. */
export function LiveMark({ state, at }: { state: LinkState; at: number }) {
  const age = at ? now.value - at : 0;
  const stale = state === 'live' && age > staleMillis;
  if (state === 'refused') return null;
  const words =
    state === 'connecting' ? 'connecting…'
      : state === 'reconnecting' ? 'reconnecting…'
        : stale ? 'no news' : 'live';
  return (
    <span class={`live live-${stale ? 'reconnecting' : state}`}>
      <i aria-hidden="true" /><span role="status">{words}</span>
      {at && (stale || state !== 'live') ? <span> picture from {relative(at, now.value)}</span> : null}
    </span>
  );
}

export interface Choice {
  value: string;
  label: string;
  title?: string;
}

/** One of a few, seen all at once. */
export function Choices({ label, value, choices, onChange }: { label: string; value: string; choices: Choice[]; onChange: (value: string) => void }) {
  const group = useId();
  return (
    <fieldset class="choices">
      <legend>{label}</legend>
      {choices.map((c) => (
        <label key={c.value} title={c.title}>
          <input type="radio" name={group} value={c.value} checked={c.value === value} onChange={() => onChange(c.value)} />
          <span>{c.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function Select({ label, value, choices, onChange }: { label: string; value: string; choices: Choice[]; onChange: (value: string) => void }) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {choices.map((c) => <option key={c.value} value={c.value}>{c.label}</option>)}
      </select>
    </label>
  );
}

/** The field that '/' goes to. */
export function Search({ label, value, onInput }: { label: string; value: string; onInput: (value: string) => void }) {
  return (
    <label class="field field-search">
      <span>{label}</span>
      <input type="search" data-search value={value} spellcheck={false} autocomplete="off" placeholder="press / to search" onInput={(e) => onInput(e.currentTarget.value)} />
    </label>
  );
}
