import { useEffect, useState } from 'preact/hooks';
import { part, post, type Problem, send } from '../api/client.ts';
import { problemFrom, useAnswer } from '../api/hooks.ts';
import type { Delivery, Report, ReportRun } from '../api/types.ts';
import { bytes, exact } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { Command, Empty, Loading, ProblemNote, Search, Time } from '../parts/basics.tsx';
import { Definition } from '../parts/definition.tsx';
import { download } from '../parts/download.ts';
import { now } from '../state/clock.ts';
import { href } from '../state/router.ts';
import { hasToken } from '../state/session.ts';

export function Reports({ name }: { name: string }) {
  const list = useAnswer<{ reports: Report[] }>('/v1/reports');
  const reports = list.value?.reports;
  useEffect(() => { // a tick has passed: the next one is another
    if (reports?.some((r) => r.next && Date.parse(r.next) < now.value - 2000) && !list.loading) list.refresh();
  }, [now.value]);
  if (list.problem && !reports) return <><h1>Reports</h1><ProblemNote problem={list.problem} /></>;
  if (!reports) return <><h1>Reports</h1><Loading what="the reports" /></>;
  if (!name) return <ReportList reports={reports} />;
  const report = reports.find((r) => r.name === name);
  return report ? <OneReport report={report} onChange={list.refresh} /> : <><h1>{name}</h1><Empty title="There is no such report, or your token may not look at it."><p><a href={href('reports')}>All reports</a></p></Empty></>;
}

function ReportList({ reports }: { reports: Report[] }) {
  const [search, setSearch] = useState('');
  if (reports.length === 0) {
    return (
      <>
        <h1>Reports</h1>
        <Empty title="No report yet. A report sends an answer by a schedule:">
          <Command>{`CREATE REPORT morning SCHEDULE '0 8 * * *' AS
SELECT page, sum(n) AS hits FROM hits GROUP BY page ORDER BY hits DESC LIMIT 10
WITH (format = 'html', chart = 'bar', deliver = 'mailto:team@example.org')`}</Command>
        </Empty>
      </>
    );
  }
  const shown = reports.filter((r) => r.name.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <h1>Reports</h1>
      <div class="tools"><Search label="Find" value={search} onInput={setSearch} /></div>
      <div class="scroll" tabIndex={0} role="group" aria-label="Reports">
        <table class="data">
          <thead><tr><th scope="col">report</th><th scope="col">schedule</th><th scope="col">format</th><th scope="col">goes to</th><th scope="col">last run</th><th scope="col">result</th><th scope="col">next</th></tr></thead>
          <tbody>
            {shown.map((r) => (
              <tr key={r.name}>
                <th scope="row"><a href={href('reports', r.name)}>{r.name}</a></th>
                <td><code>{r.schedule}</code> {r.time_zone}</td>
                <td>{r.format}{r.chart ? `, ${r.chart}` : ''}</td>
                <td>{r.deliver.join(', ')}</td>
                <td>{r.last ? <Time at={r.last.tick} ago /> : <span class="dim">none yet</span>}</td>
                <td>{r.last && <RunState run={r.last} />}</td>
                <td>{r.next ? <Time at={r.next} ago /> : ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const missedTicks: Record<Report['missed'], string> = {
  run_last: 'only the last one is made up for', skip: 'is left out', run_all: 'each one is made up for',
};

const badStates = ['failed', 'missed'];

function RunState({ run }: { run: ReportRun }) {
  return <span class={badStates.includes(run.state) ? 'bad' : run.state === 'delivered' ? 'good' : ''}>{run.state}</span>;
}

function OneReport({ report: r, onChange }: { report: Report; onChange: () => void }) {
  const runs = useAnswer<{ runs: ReportRun[] }>(`/v1/reports/${part(r.name)}/runs`);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  useEffect(runs.refresh, [r.last?.id, r.last?.state]);
  const act = async (action: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await action();
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const runNow = (): Promise<void> => act(async () => {
    await post(`/v1/reports/${part(r.name)}/run`);
    runs.refresh();
    onChange();
  });
  const save = (run: ReportRun): Promise<void> => act(async () => {
    const reply = await send(documentOf(r, run));
    download(run.document ?? `${r.name}.${r.format}`, await reply.blob());
  });
  return (
    <>
      <p class="crumbs"><a href={href('reports')}>Reports</a></p>
      <h1>{r.name}</h1>
      <dl class="facts">
        <div><dt>schedule</dt><dd><code>{r.schedule}</code> {r.time_zone}</dd></div>
        <div><dt>next</dt><dd>{r.next ? <><Time at={r.next} /> (<Time at={r.next} ago />)</> : 'none'}</dd></div>
        <div><dt>format</dt><dd>{r.format}{r.chart ? ` with a chart (${r.chart})` : ''}</dd></div>
        <div><dt>goes to</dt><dd>{r.deliver.join(', ')}</dd></div>
        <div><dt>of missed ticks</dt><dd>{missedTicks[r.missed] ?? r.missed}</dd></div>
      </dl>
      <Definition sql={r.sql} />
      <div class="tools"><button type="button" class="primary" disabled={busy} onClick={runNow}>{busy ? 'At work…' : 'Run now'}</button></div>
      {problem && <ProblemNote problem={problem} />}
      <h2>Runs</h2>
      {runs.problem && <ProblemNote problem={runs.problem} />}
      {!runs.value && !runs.problem && <Loading what="the runs" />}
      {runs.value?.runs.length === 0 && <Empty title="No run yet."><p>The first comes by the schedule, or now by the button above.</p></Empty>}
      {runs.value && runs.value.runs.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label="Runs">
          <table class="data">
            <thead><tr><th scope="col">for</th><th scope="col">state</th><th scope="col" class="n">took</th><th scope="col" class="n">attempts</th><th scope="col" class="n">rows</th><th scope="col" class="n">size</th><th scope="col">generations</th><th scope="col">deliveries</th><th scope="col">document</th></tr></thead>
            <tbody>
              {runs.value.runs.map((run) => (
                <tr key={run.id}>
                  <td class="t"><Time at={run.tick} />{run.by_hand && <span class="dim"> by hand</span>}</td>
                  <td><RunState run={run} />{run.missed_ticks ? `, ${exact(run.missed_ticks)} ticks` : ''}{run.next_attempt && <>, again <Time at={run.next_attempt} ago /></>}</td>
                  <td class="n">{run.started && run.finished ? span(Date.parse(run.finished) - Date.parse(run.started)) : ''}</td>
                  <td class="n">{exact(run.attempts)}</td><td class="n">{exact(run.rows)}</td><td class="n">{bytes(run.bytes)}</td>
                  <td>{run.generations?.map((g) => `${g.name} ${g.generation}`).join(', ')}</td>
                  <td class="wrap">{run.error && <span class="bad">{run.error} </span>}{run.deliveries?.map((d) => <DeliveryWords key={d.to} delivery={d} />)}</td>
                  <td>{run.document && (hasToken()
                    ? <button type="button" disabled={busy} onClick={() => save(run)}>Save</button>
                    // Without a token the browser can ask by itself, and shows the document under its own policy.
                    : <a href={documentOf(r, run)} target="_blank" rel="noopener">Open</a>)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function documentOf(r: Report, run: ReportRun): string {
  return `/v1/reports/${part(r.name)}/runs/${part(run.id)}/document`;
}

function DeliveryWords({ delivery: d }: { delivery: Delivery }) {
  return (
    <span class="delivery">
      {d.to}: <b class={d.state === 'failed' ? 'bad' : ''}>{d.state}</b>{d.attempts > 1 ? ` after ${d.attempts} attempts` : ''}{d.next_attempt && <>, again <Time at={d.next_attempt} ago /></>}{d.error && <span class="dim"> ({d.error})</span>}
    </span>
  );
}
