// The drift report of a run in words.

import type { BatchRun } from '../api/types.ts';
import { count, exact } from '../format/numbers.ts';

export interface DriftWords {
  verdict: 'same' | 'differs' | 'unknown' | 'none';
  words: string;
  about: string;
}

export function driftOf(run: Pick<BatchRun, 'drift' | 'state'>): DriftWords {
  const d = run.drift;
  if (run.state === 'failed' || run.state === 'running' || !d || d.to === null || d.batch_events + d.speed_events === 0) {
    return { verdict: 'none', words: run.state === 'failed' ? 'why it failed' : 'nothing to compare', about: run.state === 'failed' ? 'The generation before it is served on.' : 'The run took over no epoch that the speed layer had counted, so that there is nothing to compare.' };
  }
  if (!d.comparable) {
    return { verdict: 'unknown', words: 'not comparable', about: 'The speed layer was behind or was built anew during these epochs, so that its counts cannot be held against the batch layer’s. Answers are not touched by that.' };
  }
  const difference = d.speed_events - d.batch_events;
  if (difference === 0) {
    return { verdict: 'same', words: `none in ${count(d.batch_events, 'event')}`, about: `Both layers counted the same ${count(d.batch_events, 'event')}: what the speed layer said was right.` };
  }
  return {
    verdict: 'differs', words: `${difference > 0 ? '+' : '−'}${exact(Math.abs(difference))} of ${count(d.batch_events, 'event')}`,
    about: `The speed layer had counted ${count(Math.abs(difference), 'event')} ${difference > 0 ? 'too many' : 'too few'}. The batch layer’s numbers are served now. That this happens is a defect: the server’s log says more, please report it.`,
  };
}
