import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { part, post, type Problem, withParams } from '../api/client.ts';
import { problemFrom, useAnswer, useRefresh } from '../api/hooks.ts';
import type { BatchRun } from '../api/types.ts';
import { count, exact } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { Empty, Loading, ProblemNote, Select, Time } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { pulse } from '../state/pulse.ts';
import { href, place, setParams } from '../state/router.ts';
import { driftOf } from './drift.ts';

const shownRuns = 100;

export function Batches() {
  const view = place.value.params.get('view') ?? '';
  const runs = useAnswer<{ runs: BatchRun[] }>(withParams('/v1/batches', { view: view || undefined, limit: String(shownRuns) }));
  const batch = pulse.value?.steps.batch;
  useRefresh(runs.refresh, `${batch?.last_run} ${batch?.running}`);
  const now = pulse.value;
  const names = now ? [...now.views, ...now.boards].map((v) => v.name).sort() : [];
  return (
    <>
      <h1>Batch runs</h1>
      <p class="dim">Each run computes a view again from the lake and publishes it as a new generation; the drift compares it with what the speed layer had said meanwhile.</p>
      <div class="tools">
        <Select label="View" value={view} choices={[{ value: '', label: 'all views' }, ...names.map((n) => ({ value: n, label: n }))]} onChange={(v) => setParams({ view: v })} />
        {view && <RunNow view={view} onDone={runs.refresh} />}
        {batch && <span class="dim">{batch.running > 0 ? `${count(batch.running, 'run')} going on` : batch.next_run ? <>next run <Time at={batch.next_run} ago /></> : 'no run is planned'}</span>}
      </div>
      {runs.problem && <ProblemNote problem={runs.problem} />}
      {!runs.value && !runs.problem && <Loading what="the runs" />}
      {runs.value?.runs.length === 0 && <Empty title="No run yet."><p>The first comes by the view’s schedule{view ? '' : '; choose a view to run it now'}.</p></Empty>}
      {runs.value && runs.value.runs.length > 0 && <Runs runs={runs.value.runs} />}
    </>
  );
}

function Runs({ runs }: { runs: BatchRun[] }) {
  const now = pulse.value;
  const [open, setOpen] = useState('');
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Batch runs">
      <table class="data">
        <thead>
          <tr><th scope="col">started</th><th scope="col">view</th><th scope="col">kind</th><th scope="col">state</th><th scope="col" class="n">took</th>
            <th scope="col" class="n">generation</th><th scope="col" class="n">rows</th><th scope="col" class="n">days</th><th scope="col">drift</th></tr>
        </thead>
        <tbody>
          {runs.map((r) => {
            const drift = driftOf(r);
            const id = `${r.view} ${r.started}`;
            return (
              <Fragment key={id}>
                <tr>
                  <td class="t"><Time at={r.started} /></td>
                  <th scope="row"><a href={href(now?.boards.some((b) => b.name === r.view) ? 'leaderboards' : 'views', r.view)}>{r.view}</a></th>
                  <td>{r.kind}</td>
                  <td class={r.state === 'failed' ? 'bad' : ''}>{r.state}</td>
                  <td class="n">{r.finished ? span(Date.parse(r.finished) - Date.parse(r.started)) : ''}</td>
                  <td class="n">{r.generation || ''}</td><td class="n">{r.generation ? exact(r.rows) : ''}</td><td class="n">{exact(r.days)}</td>
                  <td>
                    <button type="button" class={`sort drift-${drift.verdict}`} aria-expanded={open === id} onClick={() => setOpen(open === id ? '' : id)}>{drift.words}</button>
                  </td>
                </tr>
                {open === id && <tr><td colSpan={9} class="wrap"><DriftReport run={r} /></td></tr>}
              </Fragment>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function DriftReport({ run: r }: { run: BatchRun }) {
  const drift = driftOf(r);
  return (
    <div class="drift" id="drift-report">
      {r.error && <p class="bad"><b>The run failed:</b> {r.error}</p>}
      <p>{drift.about}</p>
      {r.drift && drift.verdict !== 'none' && (
        <dl class="facts">
          <div><dt>epochs</dt><dd>{r.drift.from === null ? 'the first' : exact(r.drift.from + 1)} to {exact(r.drift.to ?? 0)}</dd></div>
          <div><dt>events by batch</dt><dd>{exact(r.drift.batch_events)}</dd></div>
          <div><dt>events by speed</dt><dd>{exact(r.drift.speed_events)}</dd></div>
          <div><dt>difference</dt><dd>{exact(r.drift.speed_events - r.drift.batch_events)}</dd></div>
        </dl>
      )}
    </div>
  );
}

function RunNow({ view, onDone }: { view: string; onDone: () => void }) {
  const [rebuilding, setRebuilding] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const run = async (rebuild: boolean): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await post(`/v1/views/${part(view)}/batch${rebuild ? '?rebuild=true' : ''}`);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
    onDone();
  };
  return (
    <>
      <span class="actions">
        <button type="button" disabled={busy} onClick={() => run(false)}>{busy ? 'Running…' : 'Run now'}</button>
        <button type="button" disabled={busy} onClick={() => setRebuilding(true)}>Rebuild…</button>
      </span>
      {problem && <ProblemNote problem={problem} />}
      {rebuilding && (
        <Confirm title={`Rebuild ${view}?`} action="Rebuild" onConfirm={() => run(true)} onClose={() => setRebuilding(false)}>
          <p>Everything is computed again from the beginning of the lake. Answers stay as they are until it is done; it may take long.</p>
        </Confirm>
      )}
    </>
  );
}
