import { useMemo, useState } from 'preact/hooks';
import { part, withParams } from '../api/client.ts';
import { useAnswer, useLive } from '../api/hooks.ts';
import type { View, ViewAnswer } from '../api/types.ts';
import { count, exact } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { Choices, Command, Empty, LiveMark, Loading, Notice, ProblemNote, Search, Select, Time } from '../parts/basics.tsx';
import { Definition } from '../parts/definition.tsx';
import { Plot } from '../parts/plot.tsx';
import { ProvenanceBar } from '../parts/provenance.tsx';
import { DataTable } from '../parts/table.tsx';
import { pulse } from '../state/pulse.ts';
import { href, place, setParams } from '../state/router.ts';
import { byGroup, chartParams, choiceOf, groupsOf, measuresOf, mostBars, mostLines, overTime, ranges, rangesOf, stepsOf, tableParams, tableRows } from './question.ts';

export function Views({ name }: { name: string }) {
  const list = useAnswer<{ views: View[] }>('/v1/views');
  const views = list.value?.views;
  if (list.problem) return <><h1>Views</h1><ProblemNote problem={list.problem} /></>;
  if (!views) return <><h1>Views</h1><Loading what="the views" /></>;
  if (!name) return <ViewList views={views} />;
  const view = views.find((v) => v.name === name);
  return view ? <OneView key={name} view={view} /> : <><h1>{name}</h1><Empty title="There is no such view, or your token may not look at it."><p><a href={href('views')}>All views</a></p></Empty></>;
}

function ViewList({ views }: { views: View[] }) {
  const [search, setSearch] = useState('');
  if (views.length === 0) {
    return (
      <>
        <h1>Views</h1>
        <Empty title="No view yet. A view is an answer that is kept up to date:">
          <Command>{`millrace sql "CREATE VIEW hits AS SELECT page, count() AS n FROM visits GROUP BY page"`}</Command>
          <p>Or write it on the <a href={href('sql')}>SQL page</a>.</p>
        </Empty>
      </>
    );
  }
  const shown = views.filter((v) => `${v.name} ${v.stream} ${v.columns.map((c) => c.name).join(' ')}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <h1>Views</h1>
      <div class="tools"><Search label="Find" value={search} onInput={setSearch} /></div>
      <div class="scroll" tabIndex={0} role="group" aria-label="Views">
        <table class="data">
          <thead>
            <tr><th scope="col">view</th><th scope="col">of stream</th><th scope="col">measures</th><th scope="col">by</th><th scope="col" class="n">window</th>
              <th scope="col" class="n">behind</th><th scope="col" class="n">generation</th><th scope="col">batch up to</th><th scope="col">next run</th><th scope="col">state</th></tr>
          </thead>
          <tbody>
            {shown.map((v) => {
              const now = pulse.value?.views.find((x) => x.name === v.name);
              const cut = now?.cut_time ?? v.cut_time;
              return (
                <tr key={v.name}>
                  <th scope="row"><a href={href('views', v.name)}>{v.name}</a></th>
                  <td><a href={href('streams', v.stream)}>{v.stream}</a></td>
                  <td>{v.columns.filter((c) => c.role === 'measure').map((c) => c.name).join(', ')}</td>
                  <td>{groupsOf(v).join(', ')}</td>
                  <td class="n">{v.window ? span(v.window * 1000) : 'all time'}</td>
                  <td class="n">{now ? span(now.lag_ms) : ''}</td>
                  <td class="n">{exact(now?.generation ?? v.generation)}</td>
                  <td>{cut ? <Time at={cut} ago /> : <span class="dim">nothing yet</span>}</td>
                  <td>{(now?.next_run ?? v.next_run) ? <Time at={now?.next_run ?? v.next_run} ago /> : ''}</td>
                  <td>{now?.state ?? v.state}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && <p class="dim">No view, stream or column has “{search}” in its name.</p>}
    </>
  );
}

function OneView({ view: v }: { view: View }) {
  const choice = choiceOf(v, place.value.params);
  const live = (params: Record<string, string | undefined>): string => withParams(`/v1/views/${part(v.name)}/live`, { ...params, every: '1s' });
  const timed = v.window !== null || place.value.params.get('chart') === 'time';
  const chart = useLive<ViewAnswer>(timed && choice.measure ? live(chartParams(choice)) : null, 'answer');
  const table = useLive<ViewAnswer>(live(tableParams(v, choice)), 'answer');
  const drawn = useMemo(
    () => (timed ? chart.value && overTime(chart.value, choice, Date.now()) : table.value && byGroup(table.value, v, choice)),
    [timed, chart.value, table.value, choice.measure, choice.split],
  );
  const shown = timed ? chart : table;
  const now = pulse.value?.views.find((x) => x.name === v.name);
  const measures = measuresOf(v);
  const groups = groupsOf(v);
  const range = ranges.find((r) => r.value === choice.range);
  const rows = useMemo(() => table.value && table.value.data.map((r) => table.value!.meta.map((m) => r[m.name] ?? null)), [table.value]);
  const plot = drawn?.plot;
  const most = timed ? mostLines : mostBars;
  return (
    <>
      <p class="crumbs"><a href={href('views')}>Views</a> of <a href={href('streams', v.stream)}>{v.stream}</a></p>
      <div class="title">
        <h1>{v.name}</h1>
        <LiveMark state={shown.state} at={shown.at} />
        {(now?.state ?? v.state) === 'backfilling' && <Notice>This view is being filled from the past; its numbers still grow.</Notice>}
      </div>
      <div class="tools">
        <Choices label="Last" value={choice.range} choices={rangesOf(v.pane)} onChange={(r) => setParams({ range: r, step: '' })} />
        {timed && <Select label="Step" value={choice.step} choices={stepsOf(v.pane).map((s) => ({ value: s, label: s }))} onChange={(s) => setParams({ step: s })} />}
        {measures.length > 0 && <Select label="Measure" value={choice.measure} choices={measures.map((m) => ({ value: m, label: m }))} onChange={(m) => setParams({ measure: m })} />}
        {timed && groups.length > 0 && <Select label="A line for each" value={choice.split} choices={[{ value: '', label: '(one for all)' }, ...groups.map((g) => ({ value: g, label: g }))]} onChange={(g) => setParams({ split: g })} />}
      </div>
      {shown.problem && <ProblemNote problem={shown.problem} />}
      {plot && plot.x.length > 0 && <Plot label={`${choice.measure} of ${v.name}${timed ? ' over time' : ' by group'}`} data={plot} />}
      {plot && plot.x.length === 0 && <Empty title="No event in this range."><p>Choose a longer one, or feed <a href={href('streams', v.stream)}>{v.stream}</a>.</p></Empty>}
      {!plot && !shown.problem && <Loading what="the view" />}
      {plot?.filling !== undefined && <p class="dim">The last step of {choice.step} is still filling.</p>}
      {drawn && drawn.of > most && <p class="dim">The {most} greatest of {exact(drawn.of)}{timed ? ` values of ${choice.split}` : ''}.</p>}
      {shown.value && <ProvenanceBar provenance={shown.value.provenance} from={range && Number.isFinite(range.seconds) ? Date.now() - range.seconds * 1000 : undefined} />}
      <section aria-labelledby="v-rows">
        <div class="section-head">
          <h2 id="v-rows">{groups.length > 0 ? `By ${groups.join(', ')}` : 'In one row'}</h2>
          {table.value && <p class="dim">{table.value.rows >= tableRows ? `the first ${exact(tableRows)} rows` : count(table.value.rows, 'row')}, {range?.value === 'all' ? 'of all time' : `of the last ${range?.label}`}</p>}
        </div>
        {timed && table.problem && <ProblemNote problem={table.problem} />}
        {table.value && rows && <DataTable label={`Rows of ${v.name}`} columns={table.value.meta} rows={rows} bar={table.value.meta.findIndex((m) => m.name === choice.measure)} />}
      </section>
      <Definition sql={v.sql} />
    </>
  );
}
