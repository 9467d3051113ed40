// The way of one event, drawn as a mill race with live numbers at each station.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Pulse } from '../api/types.ts';
import { bytes, count, exact, rate, short } from '../format/numbers.ts';
import { relative, span } from '../format/time.ts';
import { now } from '../state/clock.ts';
import { href } from '../state/router.ts';
import { type Channel, channelWidth, race, type Race, type Station, type StationName, wavePeriod } from './geometry.ts';

interface Words {
  name: string;
  part: string;
  page: string;
  main: ComponentChildren;
  sub: ComponentChildren;
  bad?: boolean;
}

export function RaceFigure({ pulse, still }: { pulse: Pulse; still: boolean }) {
  const box = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const r = race(width || 1000);
  const words = stationWords(pulse);
  const ingest = pulse.steps.ingest;
  return (
    <figure class={`race${r.tall ? ' race-tall' : ''}${still ? ' race-still' : ''}`} ref={box} aria-label="The way of one event" style={{ height: `${r.height}px` }}>
      {width > 0 && <Water race={r} pulse={pulse} />}
      <ol>
        {(Object.keys(r.stations) as StationName[]).map((name) => <StationWords key={name} at={r.stations[name]} words={words[name]} />)}
      </ol>
      <a class="spill" href={href('dead-letters')} style={{ left: `${r.spill.left}px`, top: `${r.spill.top}px` }}>
        <b>{exact(ingest.rejected)}</b> refused{ingest.rejected_per_s > 0 ? `, ${rate(ingest.rejected_per_s)}` : ''}
      </a>
    </figure>
  );
}

function StationWords({ at, words }: { at: Station; words: Words }) {
  return (
    <li class={at.above ? 'station above' : 'station'} style={{ left: `${at.left}px`, top: `${at.top}px`, width: `${at.width}px` }}>
      <a href={`#/${words.page}`}>
        <span class="station-name">{words.name} <i>{words.part}</i></span>
        <b class={words.bad ? 'bad' : ''}>{words.main}</b>
        <span class="station-sub">{words.sub}</span>
      </a>
    </li>
  );
}

function stationWords({ steps }: Pulse): Record<StationName, Words> {
  const { ingest, log, speed, lake, batch, serving } = steps;
  const next = batch.next_run ? `next ${relative(Date.parse(batch.next_run), now.value)}` : 'no run is planned';
  return {
    clients: { name: 'Clients', part: '', page: 'streams', main: rate(ingest.requests_per_s), sub: 'requests' },
    ingest: { name: 'Ingest', part: 'HTTP', page: 'streams', main: rate(ingest.events_per_s), sub: `events, ${bytes(ingest.bytes_per_s)}/s` },
    log: { name: 'Log', part: 'NATS', page: 'streams', main: short(log.entries), sub: `entries, in ${count(log.partitions, 'partition')}` },
    speed: { name: 'Speed', part: 'Redis', page: 'views', main: span(speed.lag_ms), sub: speed.views === 0 ? 'no view yet' : 'behind the newest event' },
    lake: {
      name: 'Lake', part: 'Parquet', page: 'streams', main: bytes(lake.bytes),
      sub: lake.lag_ms === null ? 'nothing is sealed yet' : `sealed up to ${span(lake.lag_ms)} ago`,
    },
    batch: {
      name: 'Batch', part: 'ClickHouse', page: 'batches', bad: batch.failures + batch.drifting > 0,
      main: batch.running > 0 ? 'running' : batch.last_run ? relative(Date.parse(batch.last_run), now.value) : 'no run yet',
      sub: batch.failures > 0 ? `${count(batch.failures, 'view')} failing` : batch.drifting > 0 ? `${count(batch.drifting, 'view')} drifting` : next,
    },
    serving: {
      name: 'Serving', part: '', page: 'sql', main: serving ? rate(serving.queries_per_s) : '–',
      sub: !serving ? 'for tokens of everything' : serving.p99_ms === null ? 'queries' : `queries, 99 % in ${span(serving.p99_ms)}`,
    },
  };
}

function Water({ race: r, pulse }: { race: Race; pulse: Pulse }) {
  const events = pulse.steps.ingest.events_per_s;
  const width = channelWidth(events);
  const period = wavePeriod(events);
  const flow = { '--wave': `${period || 1}s`, '--motion': period ? 'running' : 'paused' };
  const { log, lake, batch, serving, ingest, speed } = r.stations;
  const queries = pulse.steps.serving?.queries_per_s ?? 0;
  return (
    <svg class="water" width={r.width} height={r.height} viewBox={`0 0 ${r.width} ${r.height}`} aria-hidden="true" style={flow}>
      {r.channels.map((c, i) => <path key={i} class="bank" d={c.path} style={{ strokeWidth: `${width + 5}px` }} />)}
      <path class="spillway" d={r.spill.path} style={{ strokeWidth: pulse.steps.ingest.rejected > 0 ? '3px' : '1px' }} />
      {r.channels.map((c, i) => <ChannelWater key={i} channel={c} width={width} tall={r.tall} />)}
      <Gate x={ingest.x} y={ingest.y} tall={r.tall} size={width} />
      <Pond x={log.x} y={log.y} width={46} height={width + 14} kind="trunk" tall={r.tall} />
      <Pond x={lake.x} y={lake.y} width={64} height={width + 22} kind="batch" tall={r.tall} />
      <circle class="pool" cx={speed.x} cy={speed.y} r={width / 2 + 4} />
      <Millstone x={batch.x} y={batch.y} turning={pulse.steps.batch.running > 0} />
      <Wheel x={serving.x} y={serving.y} period={queries > 0 || events > 0 ? 24 / Math.log10(10 + queries) : 0} />
    </svg>
  );
}

function ChannelWater({ channel, width, tall }: { channel: Channel; width: number; tall: boolean }) {
  // Three streamlines beside each other, each with waves of its own length.
  const lines = [-0.28, 0.02, 0.3].map((share, i) => ({ offset: share * width, i }));
  return (
    <g class={`channel channel-${channel.kind}`}>
      <path class="bed" d={channel.path} style={{ strokeWidth: `${width}px` }} />
      {lines.map(({ offset, i }) => (
        <path key={i} class={`stream stream-${i}`} d={channel.path} transform={tall ? `translate(${offset} 0)` : `translate(0 ${offset})`} />
      ))}
    </g>
  );
}

function Gate({ x, y, tall, size }: { x: number; y: number; tall: boolean; size: number }) {
  const reach = size / 2 + 9;
  return (
    <g class="gate" transform={`translate(${x} ${y})${tall ? ' rotate(90)' : ''}`}>
      <path d={`M-5 ${-reach} V${reach} M5 ${-reach} V${reach} M-8 ${-reach} H8`} />
    </g>
  );
}

function Pond({ x, y, width, height, kind, tall }: { x: number; y: number; width: number; height: number; kind: string; tall: boolean }) {
  const [w, h] = tall ? [height, width] : [width, height];
  return <rect class={`pond pond-${kind}`} x={x - w / 2} y={y - h / 2} width={w} height={h} rx={Math.min(w, h) / 2} />;
}

function Millstone({ x, y, turning }: { x: number; y: number; turning: boolean }) {
  return (
    <g transform={`translate(${x} ${y})`}>
      <g class="stone" style={{ animationPlayState: turning ? 'running' : 'paused' }}>
        <circle r="14" />
        {[0, 45, 90, 135].map((a) => <path key={a} d="M-14 0 H14" transform={`rotate(${a})`} />)}
        <circle class="eye" r="4" />
      </g>
    </g>
  );
}

function Wheel({ x, y, period }: { x: number; y: number; period: number }) {
  return (
    <g transform={`translate(${x} ${y})`}>
      <g class="wheel" style={{ animationDuration: `${period || 20}s`, animationPlayState: period ? 'running' : 'paused' }}>
        <circle class="disc" r="27" />
        <circle r="21" />
        {Array.from({ length: 12 }, (_, i) => <path key={i} d="M0 -29 V-21" transform={`rotate(${i * 30})`} />)}
        {Array.from({ length: 6 }, (_, i) => <path key={i} class="spoke" d="M0 0 V-21" transform={`rotate(${i * 60})`} />)}
        <circle class="eye" r="4" />
      </g>
    </g>
  );
}
