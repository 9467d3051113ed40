// Which part of an answer is the batch layer's and which the speed layer's, drawn.

import type { Provenance } from '../api/types.ts';
import { exact } from '../format/numbers.ts';
import { span } from '../format/time.ts';
import { now } from '../state/clock.ts';
import { Notice, Time } from './basics.tsx';
import { shares } from './shares.ts';

export function ProvenanceBar({ provenance, from }: { provenance: Provenance; from: number | undefined }) {
  const { batch } = shares(provenance, from, now.value);
  const behind = provenance.partitions.reduce((n, p) => n + Math.max(0, p.head - p.position), 0);
  return (
    <section class="provenance" aria-label="Where the answer comes from">
      <div class="provenance-bar" aria-hidden="true">
        <span class="batch" style={{ flexGrow: batch }} />
        <span class="gate" />
        <span class="speed" style={{ flexGrow: 1 - batch }} />
      </div>
      <dl class="provenance-words">
        <div class="batch">
          <dt>Batch</dt>
          <dd>generation {exact(provenance.generation)}{provenance.cut_time ? <>, up to <Time at={provenance.cut_time} /> (<Time at={provenance.cut_time} ago />)</> : ', covers nothing yet'}</dd>
        </div>
        <div class="speed">
          <dt>Speed</dt>
          <dd>
            {provenance.cut_time ? 'everything since' : 'everything so far'}, {provenance.complete ? 'complete' : `${span(provenance.lag_ms)} behind the newest event`}
          </dd>
        </div>
      </dl>
      {provenance.lag_ms > lagWorthSaying && (
        <Notice>This answer lags: {exact(behind)} entries of the log are not in it yet, the oldest from {span(provenance.lag_ms)} ago.</Notice>
      )}
    </section>
  );
}

/** A lag that a reader of the numbers should know of. */
const lagWorthSaying = 5000;
