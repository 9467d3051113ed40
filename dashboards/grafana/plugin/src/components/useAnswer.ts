import { useCallback, useEffect, useState } from 'react';

import { errorText } from '../resources';

export interface Answer<T> {
  loading: boolean;
  value?: T;
  error?: string;
  /** Ask again. */
  retry: () => void;
}

/** useAnswer asks when the question changes. The question must be stable between renders (useCallback). */
export function useAnswer<T>(ask: () => Promise<T>): Answer<T> {
  const [attempt, setAttempt] = useState(0);
  const [got, setGot] = useState<{ ask: typeof ask; attempt: number; value?: T; error?: string }>();
  useEffect(() => {
    let current = true;
    const keep = (outcome: { value: T } | { error: string }) => current && setGot({ ask, attempt, ...outcome });
    ask().then(
      (value) => keep({ value }),
      (error: unknown) => keep({ error: errorText(error) })
    );
    return () => {
      current = false; // an answer to an old question
    };
  }, [ask, attempt]);
  const retry = useCallback(() => setAttempt((n) => n + 1), []);
  const here = got !== undefined && got.ask === ask && got.attempt === attempt;
  return { loading: !here, value: here ? got.value : undefined, error: here ? got.error : undefined, retry };
}
