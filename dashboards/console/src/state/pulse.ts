// The pulse of the server, one stream for the whole page: every page reads from it.

import { effect, signal } from '@preact/signals';
import type { Problem } from '../api/client.ts';
import { type LinkState, subscribe } from '../api/subscribe.ts';
import type { Pulse } from '../api/types.ts';
import { session } from './session.ts';

export const pulse = signal<Pulse | undefined>(undefined);
export const pulseAt = signal(0);
export const pulseState = signal<LinkState>('connecting');
export const pulseProblem = signal<Problem | undefined>(undefined);

/** Events a second of the last two minutes, the newest last. */
export const ingestHistory = signal<number[]>([]);

const historyLength = 120;

let close: (() => void) | undefined;

effect(() => {
  const s = session.value;
  const sees = s.state === 'signed-in' && s.who.role !== 'ingest';
  if (sees && !close) {
    close = subscribe('/v1/live', {
      event(name, value) {
        if (name !== 'pulse') return;
        const p = value as Pulse;
        pulse.value = p;
        pulseAt.value = Date.now();
        ingestHistory.value = [...ingestHistory.peek().slice(1 - historyLength), p.steps.ingest.events_per_s];
      },
      state(state, problem) {
        pulseState.value = state;
        pulseProblem.value = problem;
      },
    });
  } else if (!sees && close) {
    close();
    close = undefined;
    pulse.value = undefined;
    ingestHistory.value = [];
  }
});
