import { useState } from 'preact/hooks';
import { getLines, part, post, type Problem } from '../api/client.ts';
import { problemFrom, useAnswer, useRefresh } from '../api/hooks.ts';
import type { DeadLetter, RefusedStream } from '../api/types.ts';
import { count, exact } from '../format/numbers.ts';
import { Empty, Loading, ProblemNote, Search, Time } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { Letters } from '../parts/letters.tsx';
import { pulse } from '../state/pulse.ts';
import { href } from '../state/router.ts';

export function DeadLetters({ name }: { name: string }) {
  const list = useAnswer<{ streams: RefusedStream[] }>('/v1/errors');
  const rejected = pulse.value?.steps.ingest.rejected;
  useRefresh(list.refresh, rejected);
  if (list.problem && !list.value) return <><h1>Dead letters</h1><ProblemNote problem={list.problem} /></>;
  if (!list.value) return <><h1>Dead letters</h1><Loading what="the dead letters" /></>;
  const refusing = list.value.streams.filter((s) => s.rejected > 0 || s.stream === name);
  const chosen = name ? refusing.filter((s) => s.stream === name) : refusing;
  return (
    <>
      {name && <p class="crumbs"><a href={href('dead-letters')}>Dead letters</a></p>}
      <h1>{name || 'Dead letters'}</h1>
      {chosen.length === 0 && (
        <Empty title="Nothing was refused.">
          <p>An event that does not fit its stream is kept here with the reason, and can be sent again once the stream takes it.</p>
        </Empty>
      )}
      {chosen.map((s) => <RefusedOf key={s.stream} refused={s} alone={name !== ''} onReplayed={list.refresh} />)}
    </>
  );
}

interface ReplayResult {
  replayed: number;
  refused: number;
}

function RefusedOf({ refused: s, alone, onReplayed }: { refused: RefusedStream; alone: boolean; onReplayed: () => void }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<ReplayResult>();
  const [problem, setProblem] = useState<Problem>();
  const replay = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      setResult(await post<ReplayResult>(`/v1/streams/${part(s.stream)}/errors/replay`));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
    onReplayed();
  };
  const most = Math.max(...s.reasons.map((r) => r.count), 1);
  return (
    <section aria-label={`Refused by ${s.stream}`} class="refused">
      <div class="section-head">
        <h2>{alone ? count(s.rejected, 'refused event') : <><a href={href('dead-letters', s.stream)}>{s.stream}</a>: {count(s.rejected, 'refused event')}</>}{s.newest && <span class="dim">, the newest <Time at={s.newest} ago /></span>}</h2>
        {s.rejected > 0 && <button type="button" class="primary" disabled={busy} onClick={() => setAsking(true)}>{busy ? 'Replaying…' : 'Replay'}</button>}
      </div>
      {result && (
        <div class="note" role="status">
          <p><b>{count(result.replayed, 'event')}</b> taken in now, <b>{exact(result.refused)}</b> refused again{result.refused > 0 ? '; those are dead letters still' : ''}.</p>
        </div>
      )}
      {problem && <ProblemNote problem={problem} />}
      {s.reasons.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label={`Reasons of ${s.stream}`}>
          <table class="data">
            <thead><tr><th scope="col">reason</th><th scope="col" class="n">events</th><th scope="col">newest</th></tr></thead>
            <tbody>
              {s.reasons.map((r) => (
                <tr key={r.reason}>
                  <td class="wrap">{r.reason}</td>
                  <td class="n"><i class="bar bar-bad" aria-hidden="true" style={{ width: `${(r.count / most) * 100}%` }} /><span>{exact(r.count)}</span></td>
                  <td><Time at={r.newest} ago /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {s.counted < s.rejected && <p class="dim">Counted over the newest {exact(s.counted)} letters.</p>}
      {alone && s.rejected > 0 && <SingleLetters stream={s.stream} rejected={s.rejected} newest={s.newest} />}
      {asking && (
        <Confirm title={`Replay the dead letters of ${s.stream}?`} action={`Replay ${exact(s.rejected)}`} onConfirm={replay} onClose={() => setAsking(false)}>
          <p>{count(s.rejected, 'refused event')} {s.rejected === 1 ? 'goes' : 'go'} through the door again. What fits now becomes an event and is counted everywhere; that cannot be taken back. What does not fit stays a dead letter.</p>
        </Confirm>
      )}
    </section>
  );
}

function SingleLetters({ stream, rejected, newest }: { stream: string; rejected: number; newest: string | null }) {
  const letters = useAnswer<DeadLetter[]>(`/v1/streams/${part(stream)}/errors`, getLines<DeadLetter>);
  useRefresh(letters.refresh, `${rejected} ${newest}`);
  const [search, setSearch] = useState('');
  if (letters.problem) return <ProblemNote problem={letters.problem} />;
  if (!letters.value) return <Loading what="the letters" />;
  const shown = letters.value.filter((l) => `${l.reason} ${l.raw}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <div class="section-head">
        <h2>Single letters</h2>
        <Search label="Find" value={search} onInput={setSearch} />
      </div>
      <Letters letters={shown.slice(0, shownLetters)} />
      <p class="dim">{count(Math.min(shown.length, shownLetters), 'letter')} shown of {count(rejected, 'refused event')}, newest first.</p>
    </>
  );
}

const shownLetters = 200;
