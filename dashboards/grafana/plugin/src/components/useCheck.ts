import { useEffect, useState } from 'react';

import { errorText, type Check } from '../resources';

// Long enough not to ask at every key, short enough to be there when the hands rest.
const restMs = 400;

/** What is known of a text: nothing yet, what the check found, or why it could not be checked. */
export type Verdict = Check | { ok: undefined; unchecked: string } | undefined;

/** useCheck asks for the verdict on a text once typing rests. The check must be stable between renders. */
export function useCheck(text: string, check: (text: string) => Promise<Check>): Verdict {
  const [got, setGot] = useState<{ text: string; check: typeof check; verdict: Verdict }>();
  useEffect(() => {
    if (!text.trim()) {
      return;
    }
    let current = true;
    const keep = (verdict: Verdict) => current && setGot({ text, check, verdict });
    const timer = setTimeout(() => {
      check(text).then(keep, (error: unknown) => keep({ ok: undefined, unchecked: errorText(error) }));
    }, restMs);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [text, check]);
  return got?.text === text && got.check === check ? got.verdict : undefined;
}

/** verdictText is what to tell about a text that is wrong, or could not be checked; '' where there is nothing to tell. */
export function verdictText(verdict: Verdict): string {
  if (verdict === undefined || verdict.ok) {
    return '';
  }
  if (verdict.ok === undefined) {
    return `Not checked: ${verdict.unchecked}`;
  }
  const place = verdict.line ? `Line ${verdict.line}, column ${verdict.column ?? 1}: ` : '';
  return place + verdict.detail + (verdict.hint ? ` (${verdict.hint})` : '');
}
