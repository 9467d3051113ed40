// Cuts SQL into what stands in a string, in a quoted name, in a comment, and the rest, by the
// rules of ClickHouse: backslash escapes, doubled quotes, comments that nest. What a template
// variable becomes depends on where it stands.

export type Context = 'code' | 'string' | 'name' | 'comment';

export interface Part {
  context: Context;
  text: string;
  /** The quote of a string or a name. */
  quote?: string;
}

/** contexts cuts sql into parts that are sql again when joined. Quotes belong to their part. */
export function contexts(sql: string): Part[] {
  const parts: Part[] = [];
  let codeFrom = 0;
  let at = 0;
  const take = (end: number, part: Omit<Part, 'text'>) => {
    if (at > codeFrom) {
      parts.push({ context: 'code', text: sql.slice(codeFrom, at) });
    }
    parts.push({ ...part, text: sql.slice(at, end) });
    at = codeFrom = end;
  };
  while (at < sql.length) {
    const c = sql.charAt(at);
    if (c === "'") {
      take(endOfQuoted(sql, at), { context: 'string', quote: c });
    } else if (c === '`' || c === '"') {
      take(endOfQuoted(sql, at), { context: 'name', quote: c });
    } else if (c === '#' || sql.startsWith('--', at)) {
      const newline = sql.indexOf('\n', at);
      take(newline < 0 ? sql.length : newline, { context: 'comment' });
    } else if (sql.startsWith('/*', at)) {
      take(endOfComment(sql, at), { context: 'comment' });
    } else {
      at++;
    }
  }
  if (at > codeFrom) {
    parts.push({ context: 'code', text: sql.slice(codeFrom) });
  }
  return parts;
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql.charAt(start);
  for (let at = start + 1; at < sql.length; at++) {
    const c = sql.charAt(at);
    if (c === '\\') {
      at++;
    } else if (c === quote) {
      if (sql.charAt(at + 1) !== quote) {
        return at + 1;
      }
      at++;
    }
  }
  return sql.length;
}

function endOfComment(sql: string, start: number): number {
  let depth = 1;
  for (let at = start + 2; at < sql.length; ) {
    if (sql.startsWith('/*', at)) {
      depth++;
      at += 2;
    } else if (sql.startsWith('*/', at)) {
      depth--;
      at += 2;
      if (depth === 0) {
        return at;
      }
    } else {
      at++;
    }
  }
  return sql.length;
}
