// Dead letters: what came, as text and nothing else, and why it was refused.

import type { DeadLetter } from '../api/types.ts';
import { Time } from './basics.tsx';

export function Letters({ letters }: { letters: DeadLetter[] }) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Dead letters">
      <table class="data letters">
        <thead><tr><th scope="col">came</th><th scope="col">why it was refused</th><th scope="col">what came</th></tr></thead>
        <tbody>
          {letters.map((l, i) => (
            <tr key={i}>
              <td class="t"><Time at={l.arrival} /></td>
              <td class="wrap">{l.reason}</td>
              <td class="wrap"><code>{l.raw}</code>{l.raw_base64 && <span class="dim"> (not UTF-8; its bytes in base64: <code>{l.raw_base64}</code>)</span>}{l.header && <span class="dim"> under the header <code>{l.header}</code></span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
