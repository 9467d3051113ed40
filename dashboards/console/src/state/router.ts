// Addresses within the page: #/page/name?parameter=value. They live behind the '#', so
// that no route of the server is in their way and a reload stays where it was.

import { signal } from '@preact/signals';

export interface Place {
  page: string;
  name: string;
  params: URLSearchParams;
}

export function parsePlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [page = '', ...rest] = path.split('/');
  return { page: decode(page) || 'overview', name: rest.map(decode).join('/'), params: new URLSearchParams(query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand
  }
}

/** The address of a place, for an anchor. */
export function href(page: string, name = '', params: Record<string, string> = {}): string {
  const query = new URLSearchParams(params).toString();
  return `#/${page}${name ? `/${encodeURIComponent(name)}` : ''}${query ? `?${query}` : ''}`;
}

export const place = signal(parsePlace(location.hash));

addEventListener('hashchange', () => {
  place.value = parsePlace(location.hash);
});

export function go(page: string, name = ''): void {
  location.hash = href(page, name);
}

/** Changes parameters of the present place, without a step in the history. Empty ones go. */
export function setParams(change: Record<string, string>): void {
  const { page, name, params } = place.value;
  const next = new URLSearchParams(params);
  for (const [key, value] of Object.entries(change)) {
    if (value === '') next.delete(key);
    else next.set(key, value);
  }
  history.replaceState(null, '', href(page, name, Object.fromEntries(next)));
  place.value = { page, name, params: next };
}
