// What components use to ask the server.

import { useEffect, useRef, useState } from 'preact/hooks';
import { get, isAbort, type Problem, ProblemError } from './client.ts';
import { type LinkState, subscribe } from './subscribe.ts';

export interface Answer<T> {
  value: T | undefined;
  problem: Problem | undefined;
  loading: boolean;
  /** Asks again, keeping the picture meanwhile. */
  refresh(): void;
}

export function problemFrom(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return { type: 'defect', title: 'Defect', status: 0, detail: `The console failed: ${String(error)}`, hint: 'This is a defect of the console; please report it.' };
}

/** Asks by one request, again when the question changes; null asks nothing. */
export function useAnswer<T>(path: string | null, read: (path: string, signal: AbortSignal) => Promise<T> = get<T>): Answer<T> {
  const [state, setState] = useState<{ path: string | null; value?: T; problem?: Problem; loading: boolean }>({ path, loading: path !== null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    setState((old) => (old.path === path && old.value !== undefined ? { path, value: old.value, loading: true } : { path, loading: true }));
    read(path, abort.signal).then(
      (value) => setState({ path, value, loading: false }),
      (error) => {
        if (!isAbort(error)) setState((old) => ({ path, ...(old.value === undefined ? {} : { value: old.value }), problem: problemFrom(error), loading: false }));
      },
    );
    return () => abort.abort();
  }, [path, round]);
  const current = state.path === path;
  return {
    value: current ? state.value : undefined, problem: current ? state.problem : undefined,
    loading: current ? state.loading : path !== null, refresh: () => setRound((n) => n + 1),
  };
}

const refreshMillis = 5000;

/** Asks again when the key changes, and not more often than every few seconds however often it does. */
export function useRefresh(refresh: () => void, key: unknown): void {
  const last = useRef(Date.now());
  const known = useRef(key);
  useEffect(() => {
    if (known.current === key) return;
    const timer = setTimeout(() => {
      known.current = key;
      last.current = Date.now();
      refresh();
    }, Math.max(0, last.current + refreshMillis - Date.now()));
    return () => clearTimeout(timer);
  }, [key]);
}

export interface Live<T> {
  value: T | undefined;
  /** When the value came, in milliseconds since 1970. */
  at: number;
  problem: Problem | undefined;
  state: LinkState;
}

/** Follows a stream of events of one name. The last value stays while the stream is away. */
export function useLive<T>(path: string | null, name: string, each?: (value: T) => void): Live<T> {
  const [live, setLive] = useState<Live<T> & { path: string | null }>({ path, value: undefined, at: 0, problem: undefined, state: 'connecting' });
  const eachRef = useRef(each);
  eachRef.current = each;
  useEffect(() => {
    if (path === null) return;
    setLive({ path, value: undefined, at: 0, problem: undefined, state: 'connecting' });
    return subscribe(path, {
      event(event, value) {
        if (event === name) {
          eachRef.current?.(value as T);
          setLive((old) => ({ ...old, value: value as T, at: Date.now(), problem: undefined }));
        } else if (event === 'problem') {
          setLive((old) => ({ ...old, problem: value as Problem }));
        }
      },
      state(state, problem) {
        setLive((old) => (old.state === state && old.problem === problem ? old : { ...old, state, problem: problem ?? (state === 'live' ? old.problem : undefined) }));
      },
    });
  }, [path, name]);
  return live.path === path ? live : { value: undefined, at: 0, problem: undefined, state: 'connecting' };
}
