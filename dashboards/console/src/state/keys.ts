// Keys that work everywhere but where somebody types.

import { go } from './router.ts';

const sequenceMillis = 1500;

/** Listens to 'g' and a page's key, '/' and '?'; returns what ends it. */
export function listenToKeys(pages: Record<string, string>, help: () => void): () => void {
  let after = 0; // until when a second key counts
  const onKey = (e: KeyboardEvent): void => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || typing(e)) return;
    const second = e.timeStamp < after;
    after = 0;
    const page = pages[e.key];
    if (second && page !== undefined) go(page);
    else if (e.key === 'g') after = e.timeStamp + sequenceMillis;
    else if (e.key === '?') help();
    else if (e.key === '/') document.querySelector<HTMLElement>('[data-search]')?.focus();
    else return;
    e.preventDefault();
  };
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

function typing(e: KeyboardEvent): boolean {
  const target = e.composedPath()[0]; // also within the editor's shadow
  if (document.querySelector('dialog[open]')) return true;
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && (target as HTMLInputElement).type !== 'radio');
}
