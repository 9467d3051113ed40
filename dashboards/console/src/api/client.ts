// Asking the server: the token, and problem JSON.

import { signal } from '@preact/signals';
import { parseExact } from './exact.ts';

/** The RFC 9457 problem that the server answered with, or one of our own where it did not answer. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  hint?: string;
  line?: number;
  column?: number;
  offset?: number;
  /** In milliseconds, of the header Retry-After. */
  retryAfter?: number;
}

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

// The token stays in this tab: no cookie, nothing that another page could make the browser send.
const tokenKey = 'millrace-token';

export const token = signal(sessionStorage.getItem(tokenKey) ?? '');

export function setToken(value: string): void {
  token.value = value;
  if (value) sessionStorage.setItem(tokenKey, value);
  else sessionStorage.removeItem(tokenKey);
}

/** Why the server wants another token; empty while it is content. */
export const refusedToken = signal('');

export function headers(more: Record<string, string> = {}): Record<string, string> {
  return token.value ? { Authorization: `Bearer ${token.value}`, ...more } : more;
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** Sends a request; every answer that is no success is thrown as a ProblemError. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let reply: Response;
  try {
    reply = await fetch(path, { ...init, headers: headers(init.headers as Record<string, string>) });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ProblemError({
      type: 'no-answer', title: 'No answer', status: 0, detail: 'The server does not answer.',
      hint: 'It may be starting, or the network is down; the console goes on trying.',
    });
  }
  if (reply.ok) return reply;
  const problem = await problemOf(reply);
  if (reply.status === 401) refusedToken.value = problem.detail;
  throw new ProblemError(problem);
}

async function problemOf(reply: Response): Promise<Problem> {
  const text = await reply.text();
  const after = Number(reply.headers.get('Retry-After')) * 1000;
  try {
    const problem = JSON.parse(text) as Problem;
    return after > 0 ? { ...problem, retryAfter: after } : problem;
  } catch {
    return { type: 'unexpected', title: reply.statusText, status: reply.status, detail: text.trim() || `The server answered ${reply.status}.` };
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const reply = await send(path, signal ? { signal } : {});
  return parseExact<T>(await reply.text());
}

export async function post<T>(path: string, body?: string): Promise<T> {
  const reply = await send(path, { method: 'POST', ...(body === undefined ? {} : { body }) });
  return parseExact<T>(await reply.text());
}

export async function getLines<T>(path: string, signal?: AbortSignal): Promise<T[]> {
  const reply = await send(path, signal ? { signal } : {});
  const text = await reply.text();
  return text.split('\n').filter((line) => line !== '').map((line) => parseExact<T>(line));
}

/** A path with parameters; those that are undefined are left out. */
export function withParams(path: string, params: Record<string, string | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) query.set(name, value);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const part = encodeURIComponent;
