// The statements that were run in this browser, the newest first, without secrets.

const key = 'millrace-sql-history';
const most = 50;
const longest = 20_000;

/** Takes out what looks like a token, a password in an address, or an option that is one. */
export function withoutSecrets(sql: string): string {
  return sql
    .replace(/mr_[A-Za-z0-9_-]{16,}/g, 'mr_…')
    .replace(/(\w+:\/\/[^\s:/@']*:)[^\s@']+@/g, '$1…@')
    .replace(/((?:password|secret|token|access_key|api_key)\w*\s*=\s*')(?:[^']|'')*'/gi, "$1…'");
}

export function remember(sql: string, history: string[]): string[] {
  const text = withoutSecrets(sql).trim();
  if (!text || text.length > longest) return history;
  return [text, ...history.filter((h) => h !== text)].slice(0, most);
}

export function loadHistory(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(stored) ? stored.filter((s): s is string => typeof s === 'string') : [];
  } catch {
    return []; // somebody else's
  }
}

export function saveHistory(history: string[]): void {
  try {
    localStorage.setItem(key, JSON.stringify(history));
  } catch {
    // The browser's storage is full or closed: the history lives as long as the page.
  }
}
