import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { get, isAbort, type Problem } from '../api/client.ts';
import { problemFrom } from '../api/hooks.ts';
import type { Board, Stream, View } from '../api/types.ts';
import { csv } from '../format/csv.ts';
import { count } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { Choices, Empty, partMissing, ProblemNote } from '../parts/basics.tsx';
import { download } from '../parts/download.ts';
import { Plot } from '../parts/plot.tsx';
import { DataTable } from '../parts/table.tsx';
import { chartOf } from '../sql/chart.ts';
import type { Editor } from '../sql/editor.ts';
import { loadHistory, remember, saveHistory, withoutSecrets } from '../sql/history.ts';
import { rangeOf } from '../sql/place.ts';
import { type Result, run, type Source } from '../sql/run.ts';
import { type Schema, schemaOf } from '../sql/schema.ts';
import { href, place, setParams } from '../state/router.ts';
import { session } from '../state/session.ts';

// The text outlives a visit to another page, as long as the tab is open.
let draft = '';

export function SQL() {
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | undefined>(undefined);
  const running = useRef<AbortController | undefined>(undefined);
  const [schema, setSchema] = useState<Schema>([]);
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<Result>();
  const [problem, setProblem] = useState<Problem>();
  const [history, setHistory] = useState(loadHistory);

  const execute = async (): Promise<void> => {
    const sql = editor.current?.text() ?? '';
    if (!sql.trim()) return;
    running.current?.abort();
    const abort = (running.current = new AbortController());
    setBusy(true);
    setProblem(undefined);
    editor.current?.mark(undefined, '');
    setHistory((old) => {
      const next = remember(sql, old);
      saveHistory(next);
      return next;
    });
    setParams({ q: withoutSecrets(sql) });
    try {
      setResult(await run(sql, abort.signal));
      if (/\b(create|drop)\b/i.test(sql)) void loadSchema().then(setSchema);
    } catch (error) {
      if (isAbort(error)) return;
      const failure = problemFrom(error);
      setProblem(failure);
      editor.current?.mark(rangeOf(sql, failure), failure.detail);
    } finally {
      if (running.current === abort) {
        running.current = undefined;
        setBusy(false);
      }
    }
  };
  const cancel = (): boolean => {
    const was = running.current;
    running.current = undefined;
    was?.abort();
    setBusy(false);
    return was !== undefined;
  };
  const latest = useRef({ execute, cancel, schema });
  latest.current = { execute, cancel, schema };

  useEffect(() => {
    let gone = false;
    import('../sql/editor.ts').then(({ openEditor }) => {
      if (gone || !box.current) return;
      editor.current = openEditor(box.current, {
        text: place.value.params.get('q') ?? draft,
        onRun: () => void latest.current.execute(), onCancel: () => latest.current.cancel(), onChange: (text) => (draft = text),
      });
      editor.current.setSchema(latest.current.schema);
      editor.current.focus();
    }, () => setProblem(partMissing));
    const onKey = (e: KeyboardEvent): void => {
      if (e.key === 'Escape' && latest.current.cancel()) e.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    void loadSchema().then((s) => !gone && setSchema(s));
    return () => {
      gone = true;
      document.removeEventListener('keydown', onKey);
      running.current?.abort();
      editor.current?.destroy();
      editor.current = undefined;
    };
  }, []);
  useEffect(() => editor.current?.setSchema(schema), [schema]);

  const put = (text: string): void => {
    editor.current?.setText(text);
    editor.current?.focus();
  };
  const s = session.value;
  const mayNot = s.state === 'signed-in' && s.who.role === 'read';
  return (
    <>
      <h1>SQL</h1>
      {mayNot && <ProblemNote problem={{ type: 'forbidden', title: '', status: 403, detail: 'Running SELECT needs the right “query”, which tokens with the role sql or admin have; yours has the role read.' }} />}
      <div class="workbench">
        <div class="workbench-main">
          <div class="editor" ref={box} />
          <div class="tools">
            <button type="button" class="primary" id="run" disabled={busy} onClick={() => void execute()}>Run <kbd>Ctrl Enter</kbd></button>
            {busy && <button type="button" onClick={cancel}>Cancel <kbd>Esc</kbd></button>}
            <span class="dim" role="status" id="sql-status">{busy ? 'Running…' : result && !problem ? `${count(result.rows.length, 'row')} in ${span(result.millis)}` : ''}</span>
          </div>
          {problem && <ProblemNote problem={problem} />}
          {result && !problem && <ResultOf result={result} />}
          {!result && !problem && <Empty title="Ask in ClickHouse’s SQL."><p>A view is answered over batch and speed together, a stream over every acknowledged event. Choose one at the side to begin.</p></Empty>}
        </div>
        <aside aria-label="What there is to ask">
          <h2>Tables</h2>
          {schema.map((t) => (
            <details key={t.name}>
              <summary>{t.name} <span class="dim">{t.kind}</span></summary>
              <ul class="plain">
                {t.columns.map((c) => <li key={c.name}><code>{c.name}</code> <span class="dim">{c.type}</span></li>)}
                <li><button type="button" onClick={() => put(`SELECT * FROM ${t.name} LIMIT 100`)}>SELECT *</button></li>
              </ul>
            </details>
          ))}
          {schema.length === 0 && <p class="dim">No stream or view yet.</p>}
          <h2>History</h2>
          {history.length === 0 && <p class="dim">Statements that you run stay here, in this browser.</p>}
          <ul class="plain history">
            {history.map((h) => <li key={h}><button type="button" title={h} onClick={() => put(h)}>{h}</button></li>)}
          </ul>
          {history.length > 0 && <button type="button" onClick={() => { setHistory([]); saveHistory([]); }}>Forget the history</button>}
        </aside>
      </div>
    </>
  );
}

/** What may be looked at; a list that is refused is left out, as the statement itself will tell. */
async function loadSchema(): Promise<Schema> {
  const or = async <T,>(path: string, empty: T): Promise<T> => get<T>(path).catch(() => empty);
  const [streams, views, boards] = await Promise.all([
    or<{ streams: Stream[] }>('/v1/streams', { streams: [] }), or<{ views: View[] }>('/v1/views', { views: [] }),
    or<{ leaderboards: Board[] }>('/v1/leaderboards', { leaderboards: [] }),
  ]);
  return schemaOf(streams.streams, views.views, boards.leaderboards);
}

function ResultOf({ result }: { result: Result }) {
  const [as, setAs] = useState('table');
  const chart = useMemo(() => chartOf(result.columns, result.rows), [result]);
  const save = (): void =>
    download('result.csv', new Blob([csv(result.columns.map((c) => c.name), result.rows)], { type: 'text/csv' }));
  return (
    <section aria-label="Result" id="result">
      <div class="tools">
        <Choices label="Result as" value={as} choices={[{ value: 'table', label: 'table' }, { value: 'chart', label: 'chart' }]} onChange={setAs} />
        <button type="button" onClick={save}>Download CSV</button>
        <Sources sources={result.sources} />
      </div>
      {as === 'table'
        ? result.rows.length > 0 ? <DataTable label="Result" columns={result.columns} rows={result.rows} /> : <Empty title="No rows." />
        : typeof chart === 'string' ? <Empty title={chart} /> : <Plot label="Result" data={chart} height={360} />}
    </section>
  );
}

function Sources({ sources }: { sources: Source[] }) {
  return (
    <span class="dim">
      {sources.map((s, i) => (
        <span key={i}>
          {i > 0 && '; '}
          {s.view
            ? <><a href={href('views', s.view)}>{s.view}</a> at generation {s.generation}{s.complete ? ', complete' : `, ${span(s.lag_ms ?? 0)} behind`}</>
            : <><a href={href('streams', s.stream ?? '')}>{s.stream}</a>, every acknowledged event</>}
        </span>
      ))}
    </span>
  );
}
