import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { get, part, withParams } from '../api/client.ts';
import { useAnswer, useLive } from '../api/hooks.ts';
import type { Board, BoardAnswer, BoardRow } from '../api/types.ts';
import { cell } from '../format/cells.ts';
import { count, exact, percent } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { Choices, Command, Empty, LiveMark, Loading, Notice, ProblemNote, Time } from '../parts/basics.tsx';
import { Definition } from '../parts/definition.tsx';
import { pulse } from '../state/pulse.ts';
import { href, place, setParams } from '../state/router.ts';
import { type Move, Movement } from './movement.ts';
import { number } from './question.ts';

export function Leaderboards({ name }: { name: string }) {
  const list = useAnswer<{ leaderboards: Board[] }>('/v1/leaderboards');
  const boards = list.value?.leaderboards;
  if (list.problem) return <><h1>Leaderboards</h1><ProblemNote problem={list.problem} /></>;
  if (!boards) return <><h1>Leaderboards</h1><Loading what="the leaderboards" /></>;
  if (!name) return <BoardList boards={boards} />;
  const board = boards.find((b) => b.name === name);
  return board ? <OneBoard key={name} board={board} /> : <><h1>{name}</h1><Empty title="There is no such leaderboard, or your token may not look at it."><p><a href={href('leaderboards')}>All leaderboards</a></p></Empty></>;
}

function BoardList({ boards }: { boards: Board[] }) {
  if (boards.length === 0) {
    return (
      <>
        <h1>Leaderboards</h1>
        <Empty title="No leaderboard yet. A leaderboard ranks the members of a stream:">
          <Command>{`CREATE LEADERBOARD top_pages AS
SELECT page, count() AS hits FROM visits GROUP BY page
WITH (windows = 'all, hour, day')`}</Command>
        </Empty>
      </>
    );
  }
  return (
    <>
      <h1>Leaderboards</h1>
      <div class="boards">
        {boards.map((b) => <BoardCard key={b.name} board={b} />)}
      </div>
    </>
  );
}

function BoardCard({ board: b }: { board: Board }) {
  const top = useAnswer<BoardAnswer>(withParams(`/v1/leaderboards/${part(b.name)}/top`, { n: '5' }));
  return (
    <section class="board-card" aria-label={b.name}>
      <h2><a href={href('leaderboards', b.name)}>{b.name}</a></h2>
      <p class="dim">{b.member} by {b.score}, of <a href={href('streams', b.stream)}>{b.stream}</a>; {b.windows.join(', ')}</p>
      {top.problem && <ProblemNote problem={top.problem} />}
      {top.value && <ol class="runners">{top.value.rows.map((r) => <li key={cell(r.member)}><span>{r.rank}. {cell(r.member)}</span> <span class="n">{cell(r.score)}</span></li>)}</ol>}
    </section>
  );
}

const shownRows = '50';

function OneBoard({ board: b }: { board: Board }) {
  const window = b.windows.includes(place.value.params.get('window') ?? '') ? (place.value.params.get('window') as string) : (b.windows[0] ?? 'all');
  const live = useLive<BoardAnswer>(withParams(`/v1/leaderboards/${part(b.name)}/live`, { window, n: shownRows, every: '1s' }), 'answer');
  const movement = useMemo(() => new Movement(), [window]);
  const moves = useMemo(() => (live.value ? movement.update(live.value.rows, live.at) : new Map<string, Move>()), [live.value, movement]);
  const [found, setFound] = useState('');
  const answer = live.value;
  const lag = pulse.value?.boards.find((x) => x.name === b.name)?.lag_ms ?? answer?.provenance.lag_ms;
  return (
    <>
      <p class="crumbs"><a href={href('leaderboards')}>Leaderboards</a> of <a href={href('streams', b.stream)}>{b.stream}</a></p>
      <div class="title"><h1>{b.name}</h1><LiveMark state={live.state} at={live.at} /></div>
      <p class="dim">{b.member} by {b.score}, {b.order === 'desc' ? 'the greatest first' : 'the least first'}; equal scores {b.tie === 'shared' ? 'share a rank' : 'go to who was first'}.</p>
      <div class="tools">
        {b.windows.length > 1 && <Choices label="Window" value={window} choices={b.windows.map((w) => ({ value: w, label: w === 'all' ? 'all time' : `this ${w}` }))} onChange={(w) => setParams({ window: w })} />}
        {answer?.window.start && <span class="dim">since <Time at={answer.window.start} />{answer.window.end && <>, ends <Time at={answer.window.end} ago /></>}</span>}
      </div>
      {live.problem && <ProblemNote problem={live.problem} />}
      {lag !== undefined && lag > lagWorthSaying && <Notice>This ranking is {span(lag)} behind the newest event.</Notice>}
      {!answer && !live.problem && <Loading what="the ranking" />}
      {answer && (
        <div class="board">
          <section aria-labelledby="b-top">
            <div class="section-head"><h2 id="b-top">The best</h2><p class="dim">of {count(answer.members, 'member')}</p></div>
            {answer.rows.length === 0 ? <Empty title="Nobody is ranked in this window yet." /> : <Ranking label={`The best of ${b.name}`} rows={answer.rows} moves={moves} board={b} marked={found} onFind={setFound} />}
          </section>
          <section aria-labelledby="b-find">
            <div class="section-head"><h2 id="b-find">Find a member</h2></div>
            <Find board={b} window={window} found={found} onFind={setFound} at={Math.floor(live.at / refreshMillis)} />
          </section>
        </div>
      )}
      <Definition sql={b.sql} />
    </>
  );
}

const lagWorthSaying = 5000;
/** How often the neighbours of a found member are asked for again. */
const refreshMillis = 2000;

function Ranking({ label, rows, moves, board, marked, onFind }: {
  label: string; rows: BoardRow[]; moves: Map<string, Move>; board: Board; marked: string; onFind: (member: string) => void;
}) {
  const body = useRef<HTMLTableSectionElement>(null);
  useGliding(body, rows);
  const most = Math.max(...rows.map((r) => Math.abs(number(r.score) ?? 0)), 1);
  return (
    <div class="scroll ranking" tabIndex={0} role="group" aria-label={label}>
      <table class="data">
        <thead><tr><th scope="col" class="n">rank</th><th scope="col"><span class="visually-hidden">moved</span></th><th scope="col">{board.member}</th><th scope="col" class="n">{board.score}</th></tr></thead>
        <tbody ref={body}>
          {rows.map((r) => {
            const member = cell(r.member);
            return (
              <tr key={member} data-member={member} class={member === marked ? 'marked' : ''}>
                <td class="n rank">{r.rank ?? '–'}</td>
                <td class="move"><MoveMark move={moves.get(member)} /></td>
                <th scope="row"><button type="button" class="member" title="Where it stands" onClick={() => onFind(member)}>{member}</button></th>
                <td class="n"><i class="bar" aria-hidden="true" style={{ width: `${(Math.abs(number(r.score) ?? 0) / most) * 100}%` }} /><span>{cell(r.score)}</span></td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function MoveMark({ move }: { move: Move | undefined }) {
  if (!move) return null;
  if (move.by === null) return <span class="good" title="new here">new</span>;
  return move.by > 0 ? <span class="good" title={`up by ${move.by}`}>▲{move.by}</span> : <span class="bad" title={`down by ${-move.by}`}>▼{-move.by}</span>;
}

/** Rows that change their place glide there. */
function useGliding(body: { current: HTMLTableSectionElement | null }, rows: BoardRow[]): void {
  const tops = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const before = tops.current;
    const after = new Map<string, number>();
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    for (const row of body.current?.rows ?? []) {
      const member = row.dataset.member ?? '';
      after.set(member, row.offsetTop);
      const old = before.get(member);
      if (!still && old !== undefined && old !== row.offsetTop) {
        row.animate([{ transform: `translateY(${old - row.offsetTop}px)` }, { transform: 'none' }], { duration: 420, easing: 'cubic-bezier(.2,.7,.2,1)' });
      }
    }
    tops.current = after;
  }, [rows]);
}

interface Found {
  /** Null: it is not ranked. */
  rank: number | null;
  members: number;
  around: BoardRow[];
}

async function find(question: string, signal: AbortSignal): Promise<Found> {
  const [board, window, member] = question.split('\n') as [string, string, string];
  const base = `/v1/leaderboards/${part(board)}`;
  // Unlike the routes of one member, this one knows of members that are not there.
  const standing = await get<BoardAnswer>(withParams(`${base}/members`, { m: member, window }), signal);
  const rank = standing.rows[0]?.rank ?? null;
  if (rank === null) return { rank, members: standing.members, around: [] };
  const around = await get<BoardAnswer>(withParams(`${base}/around/${part(member)}`, { window, n: '4' }), signal);
  return { rank, members: around.members, around: around.rows };
}

function Find({ board: b, window, found, onFind, at }: { board: Board; window: string; found: string; onFind: (member: string) => void; at: number }) {
  const [text, setText] = useState(found);
  const question = found ? `${b.name}\n${window}\n${found}` : null;
  const answer = useAnswer<Found>(question, find);
  useLayoutEffect(() => setText(found), [found]);
  useLayoutEffect(() => {
    if (question && !answer.problem) answer.refresh();
  }, [at]);
  const value = answer.value;
  return (
    <>
      <form class="tools" onSubmit={(e) => { e.preventDefault(); onFind(text.trim()); }}>
        <label class="field field-search">
          <span>{b.member}</span>
          <input type="search" data-search value={text} spellcheck={false} autocomplete="off" placeholder="press / to search" onInput={(e) => setText(e.currentTarget.value)} />
        </label>
        <button>Find</button>
      </form>
      {!found && <p class="dim">Its rank and its neighbours are shown here.</p>}
      {answer.problem && <ProblemNote problem={answer.problem} />}
      {value && (
        <div id="standing">
          {value.rank === null ? <p>{found} is not ranked in this window.</p> : (
            <>
              <p class="answer-main">{exact(value.rank)}<small>{ordinal(value.rank)} of {exact(value.members)}, top {percent(value.rank / Math.max(value.members, 1))}</small></p>
              <Ranking label={`Around ${found}`} rows={value.around} moves={new Map()} board={b} marked={found} onFind={onFind} />
            </>
          )}
        </div>
      )}
    </>
  );
}

function ordinal(n: number): string {
  const tens = n % 100;
  if (tens >= 11 && tens <= 13) return 'th';
  return ['th', 'st', 'nd', 'rd'][n % 10] ?? 'th';
}

