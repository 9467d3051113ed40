// The frame of every page: who is signed in, where one is, and how to get elsewhere.

import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Batches } from './pages/batches.tsx';
import { DeadLetters } from './pages/deadletters.tsx';
import { Leaderboards } from './pages/leaderboards.tsx';
import { Overview } from './pages/overview.tsx';
import { Reports } from './pages/reports.tsx';
import { SignIn } from './pages/signin.tsx';
import { SQL } from './pages/sql.tsx';
import { Streams } from './pages/streams.tsx';
import { Views } from './pages/views.tsx';
import { Dialog } from './parts/dialog.tsx';
import { Empty, LiveMark } from './parts/basics.tsx';
import { Guard } from './parts/guard.tsx';
import { listenToKeys } from './state/keys.ts';
import { pulse, pulseAt, pulseProblem, pulseState } from './state/pulse.ts';
import { href, place } from './state/router.ts';
import { describe, hasToken, session, signOut } from './state/session.ts';
import { chooseTheme, dark } from './state/theme.ts';
import { verdict } from './state/verdict.ts';

interface Page {
  id: string;
  name: string;
  key: string;
  component: ComponentType<{ name: string }>;
}

const pages: Page[] = [
  { id: 'overview', name: 'Overview', key: 'o', component: Overview },
  { id: 'streams', name: 'Streams', key: 's', component: Streams },
  { id: 'views', name: 'Views', key: 'v', component: Views },
  { id: 'leaderboards', name: 'Leaderboards', key: 'l', component: Leaderboards },
  { id: 'sql', name: 'SQL', key: 'q', component: SQL },
  { id: 'batches', name: 'Batch runs', key: 'b', component: Batches },
  { id: 'dead-letters', name: 'Dead letters', key: 'd', component: DeadLetters },
  { id: 'reports', name: 'Reports', key: 'r', component: Reports },
];

export function App() {
  const [help, setHelp] = useState(false);
  useEffect(() => listenToKeys(Object.fromEntries(pages.map((p) => [p.key, p.id])), () => setHelp(true)), []);
  const s = session.value;
  const page = pages.find((p) => p.id === place.value.page);
  useEffect(() => {
    const name = place.value.name;
    document.title = s.state === 'signed-in' ? `${name ? `${name} · ` : ''}${page?.name ?? 'Not here'} · Millrace` : 'Millrace';
  }, [page, place.value.name, s.state]);
  const arrived = useRef(false);
  useEffect(() => { // whoever goes on by the keyboard goes on in the new page
    if (!arrived.current) {
      arrived.current = true;
      return;
    }
    scrollTo(0, 0);
    if (document.activeElement === document.body) document.getElementById('main')?.focus({ preventScroll: true });
  }, [page, place.value.name]);

  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to the page</a>
      <Header onHelp={() => setHelp(true)} />
      {s.state === 'signed-in' && s.who.role !== 'ingest' && <Navigation at={page?.id ?? ''} />}
      <main id="main" tabIndex={-1}>
        {s.state === 'signed-out' && <SignIn why={s.why} />}
        {s.state === 'unreachable' && <Empty title="The server does not answer."><p>The console asks again every second.</p></Empty>}
        {s.state === 'signed-in' && (s.who.role === 'ingest'
          ? <Empty title="This token may append events, and see nothing."><p>Sign out and use a token with the role read, sql or admin.</p></Empty>
          : page
            ? <Guard key={page.id}><page.component name={place.value.name} /></Guard>
            : <Empty title={`There is no page “${place.value.page}”.`}><p><a href={href('overview')}>Go to the overview</a></p></Empty>)}
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

function Header({ onHelp }: { onHelp: () => void }) {
  const s = session.value;
  const p = pulse.value;
  const v = p && verdict(p);
  return (
    <header>
      <a class="brand" href={href('overview')} aria-label="Millrace, overview">
        <Mark /><span>Millrace</span>
      </a>
      <p class="header-state">
        {s.state === 'signed-in' && v && <span class={`health ${v.healthy ? 'good' : 'bad'}`}>{v.word}</span>}
        {s.state === 'signed-in' && s.who.role !== 'ingest' && !pulseProblem.value && <LiveMark state={pulseState.value} at={pulseAt.value} />}
      </p>
      <div class="header-tools">
        {s.state === 'signed-in' && <span id="name" class="dim" title={describe(s.who)}>{s.who.name} <i>{s.who.role}</i></span>}
        <button type="button" class="quiet" aria-label={dark.value ? 'Use light colours' : 'Use dark colours'} onClick={() => chooseTheme(dark.value ? 'light' : 'dark')}>{dark.value ? '☀' : '☾'}</button>
        <button type="button" class="quiet" aria-label="Keyboard shortcuts" onClick={onHelp}>?</button>
        {s.state === 'signed-in' && hasToken() && <button type="button" id="signout" onClick={signOut}>Sign out</button>}
      </div>
    </header>
  );
}

/** The house's mark: a wheel over water. */
function Mark() {
  return (
    <svg class="mark" width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">
      <circle cx="13" cy="11" r="8" />
      <path class="paddles" d="M13 1 V21 M3 11 H23 M6 4 L20 18 M20 4 L6 18" />
      <path class="wave" d="M1 22 q3 -3 6 0 t6 0 t6 0 t6 0" />
    </svg>
  );
}

function Navigation({ at }: { at: string }) {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => { // on a phone the pages are a strip that scrolls
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [at]);
  return (
    <nav aria-label="Pages" ref={nav}>
      <ul>
        {pages.map((p) => (
          <li key={p.id}>
            <a href={href(p.id)} aria-current={p.id === at ? 'page' : undefined}>{p.name}<kbd aria-hidden="true">g {p.key}</kbd></a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {pages.map((p) => <div key={p.id}><dt><kbd>g</kbd> <kbd>{p.key}</kbd></dt><dd>{p.name}</dd></div>)}
        <div><dt><kbd>/</kbd></dt><dd>search on this page</dd></div>
        <div><dt><kbd>?</kbd></dt><dd>this list</dd></div>
        <div><dt><kbd>Ctrl</kbd> <kbd>Enter</kbd></dt><dd>run the SQL</dd></div>
        <div><dt><kbd>Esc</kbd></dt><dd>cancel the query, close a dialog</dd></div>
        <div><dt><kbd>Ctrl</kbd> <kbd>Space</kbd></dt><dd>complete in the SQL editor</dd></div>
      </dl>
      <div class="actions"><button type="button" class="primary" onClick={onClose}>Close</button></div>
    </Dialog>
  );
}
