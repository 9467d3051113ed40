// The first page: is it well, how fresh is it, what is the top row now, what was refused.

import { useEffect } from 'preact/hooks';
import { useAnswer, useLive, useRefresh } from '../api/hooks.ts';
import { part, withParams } from '../api/client.ts';
import type { Board, BoardAnswer, Pulse, RefusedStream, View, ViewAnswer } from '../api/types.ts';
import { cell } from '../format/cells.ts';
import { count, exact, rate } from '../format/numbers.ts';
import { relative, span } from '../format/time.ts';
import { Command, Empty, Loading, Notice, ProblemNote, Time } from '../parts/basics.tsx';
import { Sparkline } from '../parts/sparkline.tsx';
import { RaceFigure } from '../race/race.tsx';
import { ingestHistory, pulse, pulseAt, pulseProblem, pulseState } from '../state/pulse.ts';
import { href } from '../state/router.ts';
import { session } from '../state/session.ts';
import { freshness, verdict } from '../state/verdict.ts';
import { now } from '../state/clock.ts';
import { chief } from './chief.ts';

export function Overview() {
  const p = pulse.value;
  if (pulseProblem.value && !p) return <><h1>Overview</h1><ProblemNote problem={pulseProblem.value} /></>;
  if (!p) return <><h1>Overview</h1><Loading what="the state of the server" /></>;
  const still = pulseState.value !== 'live';
  const nothing = p.streams.length + p.views.length + p.boards.length === 0;
  const s = session.value;
  const mayDefine = s.state === 'signed-in' && s.who.role === 'admin';
  return (
    <>
      <h1 class="visually-hidden">Overview</h1>
      {still && <Notice>The connection to the server is away, and the console is trying to get it back. This picture is <span aria-live="off">from {relative(pulseAt.value, now.value)}</span>.</Notice>}
      <Answers pulse={p} />
      {p.streams.length > 0 && <section aria-labelledby="way" class="way">
        <div class="section-head">
          <h2 id="way">The way of one event</h2>
          <p class="dim">events a second <Sparkline values={ingestHistory.value} label="Events a second, last two minutes" /> {rate(p.steps.ingest.events_per_s)} now</p>
        </div>
        <RaceFigure pulse={p} still={still} />
      </section>}
      {nothing && (mayDefine ? <FirstSteps /> : <Empty title="There is nothing yet that your token may look at." />)}
      {!nothing && <Tables pulse={p} />}
    </>
  );
}

/** The four questions of somebody who looks for the first time. */
function Answers({ pulse: p }: { pulse: Pulse }) {
  const v = verdict(p);
  const f = freshness(p);
  const refusals = useAnswer<{ streams: RefusedStream[] }>('/v1/errors');
  const rejected = p.steps.ingest.rejected;
  const kept = p.views.length + p.boards.length;
  useRefresh(refusals.refresh, rejected);
  return (
    <div class="answers">
      <section class={v.healthy ? 'answer' : 'answer answer-bad'} aria-labelledby="q-health">
        <h2 id="q-health">Is it healthy?</h2>
        <p class={`answer-main ${v.healthy ? 'good' : 'bad'}`}>{v.word}</p>
        {v.healthy
          ? <p>Every part answers; up for {span(p.uptime_ms)}.</p>
          : v.troubles.map((t) => <p key={t.part + t.detail}><b>{t.part}:</b> {t.detail}<br /><span class="dim">{t.advice}</span></p>)}
      </section>
      <section class="answer" aria-labelledby="q-fresh">
        <h2 id="q-fresh">How fresh is it?</h2>
        <p class={`answer-main ${f.fresh ? '' : 'warn'}`}>{f.main}{f.main !== '–' && <small> behind</small>}</p>
        <p>{f.words}</p>
      </section>
      <TopRow pulse={p} />
      <section class="answer" aria-labelledby="q-refused">
        <h2 id="q-refused">What was refused?</h2>
        {p.streams.length === 0 && kept > 0
          ? <><p class="answer-main dim">–</p><p>Your token may look at no stream, so that this is not told.</p></>
          : <><p class={`answer-main ${rejected > 0 ? 'bad' : ''}`}>{exact(rejected)}<small> {rejected === 1 ? 'event' : 'events'}</small></p><Refusals answer={refusals.value?.streams} rejected={rejected} /></>}
      </section>
    </div>
  );
}

function Refusals({ answer, rejected }: { answer: RefusedStream[] | undefined; rejected: number }) {
  if (rejected === 0) return <p>Every event was taken in.</p>;
  const reasons = (answer ?? []).flatMap((s) => s.reasons.map((r) => ({ ...r, stream: s.stream }))).sort((a, b) => b.count - a.count);
  return (
    <>
      <ul class="reasons">
        {reasons.slice(0, 2).map((r) => <li key={r.stream + r.reason}><b>{exact(r.count)}</b> {r.stream}: {r.reason}</li>)}
      </ul>
      <p><a href={href('dead-letters')}>{reasons.length > 2 ? `All ${reasons.length} reasons, and replay` : 'Look at them and replay'}</a></p>
    </>
  );
}

const topRows = 5;

/** The top of the leaderboard that moves most, or else of a view. */
function TopRow({ pulse: p }: { pulse: Pulse }) {
  const boards = useAnswer<{ leaderboards: Board[] }>('/v1/leaderboards');
  const views = useAnswer<{ views: View[] }>('/v1/views');
  const names = [...p.views, ...p.boards].map((v) => v.name).join();
  useEffect(() => {
    boards.refresh();
    views.refresh();
  }, [names]);
  const source = chief(p, boards.value?.leaderboards, views.value?.views);
  const board = useLive<BoardAnswer>(source?.kind === 'board' ? withParams(`/v1/leaderboards/${part(source.name)}/live`, { n: String(topRows), every: '1s' }) : null, 'answer').value;
  const view = useLive<ViewAnswer>(
    source?.kind === 'view' ? withParams(`/v1/views/${part(source.name)}/live`, { order: source.measure && `-${source.measure}`, limit: String(topRows), every: '1s' }) : null, 'answer').value;

  const rows = board
    ? board.rows.map((r) => ({ name: cell(r.member), value: cell(r.score) }))
    : (view?.data ?? []).map((r) => ({
      name: source?.kind === 'view' ? source.groups.map((g) => cell(r[g] ?? null)).join(' · ') || 'all' : '',
      value: source?.kind === 'view' && source.measure ? cell(r[source.measure] ?? null) : '',
    }));
  const [first, ...rest] = rows;
  return (
    <section class="answer" aria-labelledby="q-top">
      <h2 id="q-top">What is the top row now?</h2>
      {!source && <><p class="answer-main dim">–</p><p>There is no view or leaderboard yet.</p></>}
      {source && !first && <><p class="answer-main dim">–</p><p>{source.name} has no rows yet.</p></>}
      {source && first && (
        <>
          <p class="answer-main" id="top-row">{first.name}<small> {first.value} {source.measure}</small></p>
          <ol class="runners" start={2}>{rest.map((r, i) => <li key={i}><span>{r.name}</span> <span class="n">{r.value}</span></li>)}</ol>
          <p><a href={href(source.kind === 'board' ? 'leaderboards' : 'views', source.name)}>{source.name}, {board ? `${board.window.name === 'all' ? 'all time' : `this ${board.window.name}`}, ranked of ${exact(board.members)}` : 'all time, as a chart'}</a></p>
        </>
      )}
    </section>
  );
}

function Tables({ pulse: p }: { pulse: Pulse }) {
  const kept = [...p.views.map((v) => ({ ...v, page: 'views' })), ...p.boards.map((b) => ({ ...b, page: 'leaderboards' }))];
  return (
    <div class="columns">
      {p.streams.length > 0 && <section aria-labelledby="t-streams">
        <h2 id="t-streams">Streams</h2>
        <div class="scroll" tabIndex={0} role="group" aria-label="Streams">
          <table class="data">
            <thead><tr><th scope="col">stream</th><th scope="col" class="n">events/s</th><th scope="col" class="n">since start</th><th scope="col" class="n">in the lake</th><th scope="col" class="n">refused</th></tr></thead>
            <tbody>
              {p.streams.map((s) => (
                <tr key={s.name}>
                  <th scope="row"><a href={href('streams', s.name)}>{s.name}</a></th>
                  <td class="n">{exact(Math.round(s.events_per_s))}</td><td class="n">{exact(s.events)}</td><td class="n">{exact(s.lake_rows)}</td>
                  <td class={s.rejected ? 'n bad' : 'n'}>{exact(s.rejected)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>}
      <section aria-labelledby="t-views">
        <h2 id="t-views">Views and leaderboards</h2>
        {kept.length === 0 ? <Empty title="No view yet."><Command>{'CREATE VIEW hits AS SELECT page, count() AS n FROM visits GROUP BY page'}</Command></Empty> : (
          <div class="scroll" tabIndex={0} role="group" aria-label="Views">
            <table class="data">
              <thead><tr><th scope="col">view</th><th scope="col" class="n">behind</th><th scope="col">batch up to</th><th scope="col">next run</th><th scope="col">state</th></tr></thead>
              <tbody>
                {kept.map((v) => (
                  <tr key={v.name}>
                    <th scope="row"><a href={href(v.page, v.name)}>{v.name}</a></th>
                    <td class="n">{span(v.lag_ms)}</td>
                    <td>{v.cut_time ? <Time at={v.cut_time} ago /> : <span class="dim">nothing yet</span>}</td>
                    <td>{v.next_run ? <Time at={v.next_run} ago /> : ''}</td>
                    <td class={v.state === 'stalled' ? 'bad' : ''}>{v.running ? 'batch runs' : v.state}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </div>
  );
}

function FirstSteps() {
  return (
    <Empty title="No stream yet. Three lines make one, feed it and ask it:">
      <Command>{`millrace sql "CREATE STREAM visits (ts DateTime64(3), page String) WITH (event_time = 'ts', partition_by = 'page')"
millrace sql "CREATE VIEW hits AS SELECT page, count() AS n FROM visits GROUP BY page"
curl ${location.origin}/v1/streams/visits/events -d '{"ts":"${new Date().toISOString()}","page":"/start"}'`}</Command>
      <p>Or write the statements on the <a href={href('sql')}>SQL page</a>. {count(0, 'event')} so far.</p>
    </Empty>
  );
}
