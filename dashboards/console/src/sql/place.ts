// Where in a text a problem is.

import type { Problem } from '../api/client.ts';

/** The range of the text to underline, in UTF-16 units; undefined where the problem has no place. */
export function rangeOf(text: string, problem: Problem): { from: number; to: number } | undefined {
  if (problem.line && problem.column) {
    const from = indexOf(text, problem.line, problem.column);
    return { from, to: from + wordAt(text, from) };
  }
  // The engine names what it does not know, and not where. A name that occurs once has one place.
  const name = /`([^`]+)`/.exec(problem.detail)?.[1];
  const found = name === undefined ? [] : [...text.matchAll(new RegExp(`(?<!\\w)${escape(name)}(?!\\w)`, 'g'))];
  const [only] = found;
  return found.length === 1 && only ? { from: only.index, to: only.index + only[0].length } : undefined;
}

/** The index of a line and column, both from 1; columns count characters. */
function indexOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
  const characters = [...(lines[line - 1] ?? '')].slice(0, column - 1);
  return Math.min(before + characters.join('').length, text.length);
}

function wordAt(text: string, from: number): number {
  return /^(?:[\w]+|'[^']*'?|.)/.exec(text.slice(from))?.[0].length ?? 0;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
