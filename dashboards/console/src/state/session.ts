// Who is signed in.

import { effect, signal } from '@preact/signals';
import { get, refusedToken, setToken, token } from '../api/client.ts';
import { problemFrom } from '../api/hooks.ts';
import type { WhoAmI } from '../api/types.ts';

export type Session =
  | { state: 'asking' }
  | { state: 'signed-out'; why: string }
  | { state: 'unreachable' }
  | { state: 'signed-in'; who: WhoAmI };

export const session = signal<Session>({ state: 'asking' });

const againMillis = 1000;

/** Asks the server whom it takes us for, until it answers. */
export async function start(): Promise<void> {
  try {
    const who = await get<WhoAmI>('/v1/whoami');
    session.value = who.role ? { state: 'signed-in', who } : { state: 'signed-out', why: 'This server asks for a token.' };
  } catch (error) {
    const problem = problemFrom(error);
    if (problem.status === 401) return; // see below
    session.value = { state: 'unreachable' };
    setTimeout(start, againMillis);
  }
}

// Whichever request learns that the token is no good signs out.
effect(() => {
  const why = refusedToken.value;
  if (!why) return;
  setToken('');
  refusedToken.value = '';
  session.value = { state: 'signed-out', why };
});

export function signIn(secret: string): void {
  setToken(secret);
  session.value = { state: 'asking' };
  void start();
}

export function signOut(): void {
  setToken('');
  session.value = { state: 'asking' };
  void start();
}

export const hasToken = (): boolean => token.value !== '';

const abilities: Record<string, string> = {
  ingest: 'append events', read: 'look', sql: 'look and ask by SQL', admin: 'do everything',
};

/** What the token is good for, in words. */
export function describe(who: WhoAmI): string {
  return `may ${abilities[who.role] ?? who.role}${who.objects.length ? ` on ${who.objects.join(', ')}` : ''}`;
}
