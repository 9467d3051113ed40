import { useState } from 'preact/hooks';
import { getLines, part } from '../api/client.ts';
import { useAnswer } from '../api/hooks.ts';
import type { DeadLetter, Stream } from '../api/types.ts';
import { count, exact } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { Command, Empty, Loading, ProblemNote, Search } from '../parts/basics.tsx';
import { Definition } from '../parts/definition.tsx';
import { Letters } from '../parts/letters.tsx';
import { pulse } from '../state/pulse.ts';
import { href } from '../state/router.ts';

export function Streams({ name }: { name: string }) {
  const list = useAnswer<{ streams: Stream[] }>('/v1/streams');
  const streams = list.value?.streams;
  if (list.problem) return <><h1>Streams</h1><ProblemNote problem={list.problem} /></>;
  if (!streams) return <><h1>Streams</h1><Loading what="the streams" /></>;
  if (!name) return <StreamList streams={streams} />;
  const stream = streams.find((s) => s.name === name);
  return stream ? <OneStream stream={stream} /> : <><h1>{name}</h1><Empty title="There is no such stream, or your token may not look at it."><p><a href={href('streams')}>All streams</a></p></Empty></>;
}

function StreamList({ streams }: { streams: Stream[] }) {
  const [search, setSearch] = useState('');
  const shown = streams.filter((s) => `${s.name} ${s.columns.map((c) => c.name).join(' ')}`.toLowerCase().includes(search.toLowerCase()));
  if (streams.length === 0) {
    return (
      <>
        <h1>Streams</h1>
        <Empty title="No stream yet. A stream takes events in:">
          <Command>{`millrace sql "CREATE STREAM visits (ts DateTime64(3), page String) WITH (event_time = 'ts', partition_by = 'page')"`}</Command>
        </Empty>
      </>
    );
  }
  return (
    <>
      <h1>Streams</h1>
      <div class="tools"><Search label="Find" value={search} onInput={setSearch} /></div>
      <div class="scroll" tabIndex={0} role="group" aria-label="Streams">
        <table class="data">
          <thead>
            <tr><th scope="col">stream</th><th scope="col" class="n">events/s</th><th scope="col" class="n">since start</th><th scope="col" class="n">in the lake</th><th scope="col" class="n">refused</th>
              <th scope="col" class="n">columns</th><th scope="col" class="n">partitions</th><th scope="col">event time</th><th scope="col">kept for</th></tr>
          </thead>
          <tbody>
            {shown.map((s) => {
              const now = pulse.value?.streams.find((x) => x.name === s.name);
              const rejected = now?.rejected ?? s.rejected;
              return (
                <tr key={s.name}>
                  <th scope="row"><a href={href('streams', s.name)}>{s.name}</a></th>
                  <td class="n">{now ? exact(Math.round(now.events_per_s)) : ''}</td>
                  <td class="n">{exact(now?.events ?? s.events)}</td>
                  <td class="n">{exact(now?.lake_rows ?? s.lake_rows)}</td>
                  <td class={rejected ? 'n bad' : 'n'}>{exact(rejected)}</td>
                  <td class="n">{s.columns.length}</td><td class="n">{s.partitions}</td><td>{s.event_time}</td><td>{s.retention || 'ever'}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && <p class="dim">No stream or column has “{search}” in its name.</p>}
    </>
  );
}

const shownLetters = 10;

function OneStream({ stream: s }: { stream: Stream }) {
  const now = pulse.value?.streams.find((x) => x.name === s.name);
  const rejected = now?.rejected ?? s.rejected;
  const letters = useAnswer<DeadLetter[]>(rejected > 0 ? `/v1/streams/${part(s.name)}/errors` : null, getLines<DeadLetter>);
  return (
    <>
      <p class="crumbs"><a href={href('streams')}>Streams</a></p>
      <h1>{s.name}</h1>
      <dl class="facts">
        <div><dt>events since start</dt><dd>{exact(now?.events ?? s.events)}{now ? `, ${exact(Math.round(now.events_per_s))}/s` : ''}</dd></div>
        {now && <div><dt>worst lag of its views</dt><dd>{span(now.lag_ms)}</dd></div>}
        <div><dt>in the lake</dt><dd>{count(now?.lake_rows ?? s.lake_rows, 'row')}</dd></div>
        <div><dt>partitions</dt><dd>{s.partitions}{s.partition_by?.length ? ` by ${s.partition_by.join(', ')}` : ''}, at {s.head.map(exact).join(' and ')}</dd></div>
        <div><dt>event time</dt><dd>{s.event_time}</dd></div>
        <div><dt>kept for</dt><dd>{s.retention || 'ever'}</dd></div>
        {s.dedupe_key && s.dedupe_key.length > 0 && <div><dt>duplicates by</dt><dd>{s.dedupe_key.join(', ')}</dd></div>}
      </dl>
      <Definition sql={s.sql} />
      <div class="columns">
        <section aria-labelledby="s-columns">
          <h2 id="s-columns">{count(s.columns.length, 'column')}</h2>
          <div class="scroll" tabIndex={0} role="group" aria-label="Columns">
            <table class="data">
              <thead><tr><th scope="col">column</th><th scope="col">type</th></tr></thead>
              <tbody>{s.columns.map((c) => <tr key={c.name}><th scope="row">{c.name}</th><td class="mono">{c.type}</td></tr>)}</tbody>
            </table>
          </div>
        </section>
        <section aria-labelledby="s-feed">
          <h2 id="s-feed">Feed it</h2>
          <Command>{`curl ${location.origin}/v1/streams/${part(s.name)}/events \\\n  -H 'Content-Type: application/x-ndjson' \\\n  --data-binary @events.ndjson`}</Command>
          <p><a href={href('sql', '', { q: `SELECT * FROM ${s.name} LIMIT 100` })}>Look at some events by SQL</a></p>
        </section>
      </div>
      <section aria-labelledby="s-letters">
        <div class="section-head">
          <h2 id="s-letters">{rejected > 0 ? `${exact(rejected)} refused, the newest` : 'Nothing was refused'}</h2>
          {rejected > 0 && <a href={href('dead-letters', s.name)}>All, and replay</a>}
        </div>
        {letters.problem && <ProblemNote problem={letters.problem} />}
        {letters.value && letters.value.length > 0 && <Letters letters={letters.value.slice(0, shownLetters)} />}
      </section>
    </>
  );
}
