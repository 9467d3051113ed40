// One stream of server-sent events that lives as long as somebody looks: it reconnects
// with a growing pause, closes while the tab is hidden, and says how fresh its picture is.

import { headers, isAbort, type Problem, ProblemError, refusedToken, send } from './client.ts';
import { parseExact } from './exact.ts';
import { EventParser } from './events.ts';

export type LinkState = 'connecting' | 'live' | 'reconnecting' | 'refused';

export interface Listener {
  event(name: string, value: unknown): void;
  state(state: LinkState, problem?: Problem): void;
}

/** A server that sends no heartbeat for so long is taken for gone. */
const silenceMillis = 35_000;
const firstPauseMillis = 500;
const longestPauseMillis = 15_000;

/** The pause before attempt n (from 0): it doubles, and half of it is chance, so that many tabs do not come at once. */
export function pauseMillis(attempt: number, atLeast: number, chance = Math.random()): number {
  const whole = Math.min(firstPauseMillis * 2 ** Math.min(attempt, 10), longestPauseMillis);
  return Math.max(atLeast, whole / 2 + (whole / 2) * chance);
}

/** Whether asking again can help: the server is gone or busy, and not the question wrong. */
export function isPassing(problem: Problem): boolean {
  return problem.status === 0 || problem.status === 429 || problem.status >= 500;
}

/** Opens the stream and returns what closes it. */
export function subscribe(path: string, listener: Listener): () => void {
  let closed = false;
  let attempt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: AbortController | undefined;

  const connect = async (): Promise<void> => {
    const abort = (current = new AbortController());
    let atLeast = 0;
    try {
      const reply = await send(path, { signal: abort.signal, headers: headers({ Accept: 'text/event-stream' }), cache: 'no-store' });
      atLeast = await read(reply, abort, (name, value) => {
        attempt = 0;
        if (name !== 'problem') listener.state('live');
        listener.event(name, value);
      });
    } catch (error) {
      if (abort.signal.aborted && isAbort(error) && current !== abort) return; // closed by us
      if (error instanceof ProblemError && !isPassing(error.problem)) {
        listener.state('refused', error.problem);
        return;
      }
      atLeast = error instanceof ProblemError ? (error.problem.retryAfter ?? 0) : 0;
    }
    if (closed || current !== abort) return;
    listener.state('reconnecting');
    timer = setTimeout(connect, pauseMillis(attempt++, atLeast));
  };

  const stop = (): void => {
    clearTimeout(timer);
    const abort = current;
    current = undefined;
    abort?.abort();
  };
  const onVisibility = (): void => {
    stop();
    if (!document.hidden) {
      attempt = 0;
      listener.state('connecting');
      void connect();
    }
  };
  document.addEventListener('visibilitychange', onVisibility);
  listener.state('connecting');
  if (!document.hidden) void connect();

  return () => {
    closed = true;
    document.removeEventListener('visibilitychange', onVisibility);
    stop();
  };
}

/** Reads events until the stream ends or falls silent; returns the pause that the server asked for. */
async function read(reply: Response, abort: AbortController, event: (name: string, value: unknown) => void): Promise<number> {
  if (!reply.body || !reply.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    throw new ProblemError({ type: 'unexpected', title: 'No stream', status: 502, detail: 'The server did not answer with a stream of events.' });
  }
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => abort.abort(), silenceMillis);
  };
  try {
    for (;;) {
      heard();
      const { done, value } = await reader.read();
      if (done) return parser.retry ?? 0;
      for (const e of parser.push(value)) event(e.event, parseExact(e.data));
      if (refusedToken.value) return 0;
    }
  } catch (error) {
    if (isAbort(error)) throw error;
    return parser.retry ?? 0; // the connection broke
  } finally {
    clearTimeout(silence);
    reader.cancel().catch(() => undefined); // it may have ended by itself
  }
}
