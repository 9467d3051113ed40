// Completion of SQL: after FROM and JOIN the tables, after `table.` its columns, after $ macros
// and variables, elsewhere the columns of the tables in the statement, functions and keywords.
import { getTemplateSrv } from '@grafana/runtime';
import type { Monaco, monacoTypes } from '@grafana/ui';

import type { Column, Macro, Resources } from '../resources';
import { contexts } from './contexts';
import { keywords, units } from './keywords';

type Suggestion = monacoTypes.languages.CompletionItem;

interface Place {
  /** What is being completed begins with this. */
  word: string;
  /** The text before that word. */
  before: string;
  /** The whole statement, without what is in strings and comments. */
  code: string;
}

/** complete lists what may stand at the position. A list that cannot be had is left out: the editor goes on without it. */
export async function complete(
  monaco: Monaco,
  resources: Resources,
  model: monacoTypes.editor.ITextModel,
  position: monacoTypes.IPosition
): Promise<Suggestion[]> {
  const offset = model.getOffsetAt(position);
  const text = model.getValue();
  const place = placeAt(text, offset);
  if (!place) {
    return [];
  }
  const range = {
    startLineNumber: position.lineNumber,
    endLineNumber: position.lineNumber,
    startColumn: position.column - place.word.length,
    endColumn: position.column,
  };
  const kinds = monaco.languages.CompletionItemKind;
  const item = (label: string, kind: number, detail?: string, more?: Partial<Suggestion>): Suggestion => ({
    label,
    kind,
    detail,
    insertText: label,
    range,
    ...more,
  });

  if (place.word.startsWith('$')) {
    const macros = (await orNone(resources.macros())).map((m) =>
      item(m.name, kinds.Function, m.args ? `(${m.args.join(', ')})` : undefined, {
        documentation: m.help,
        insertText: macroText(m),
        insertTextRules: monaco.languages.CompletionItemInsertTextRule.InsertAsSnippet,
      })
    );
    const variables = getTemplateSrv()
      .getVariables()
      .map((v) => item(`$${v.name}`, kinds.Variable, 'variable, as a quoted value'));
    return [...macros, ...variables];
  }
  if (/\b(from|join|table)\s+$/i.test(place.before)) {
    const [views, streams, boards] = await Promise.all([
      orNone(resources.views()),
      orNone(resources.streams()),
      orNone(resources.leaderboards()),
    ]);
    const names = new Set<string>();
    return [
      ...views.map((v) => ({ name: v.name, detail: `view of ${v.stream}` })),
      ...boards.map((b) => ({ name: b.name, detail: 'leaderboard' })),
      ...streams.map((s) => ({ name: s.name, detail: 'stream' })),
    ].flatMap(({ name, detail }) => {
      if (names.has(name)) {
        return []; // a leaderboard is a view too
      }
      names.add(name);
      return [item(name, kinds.Struct, detail)];
    });
  }
  const tables = tablesOf(place.code);
  const qualifier = /(\w+)\.$/.exec(place.before)?.[1];
  if (qualifier) {
    const columns = await orNone<Column>(resources.columns(tables.get(qualifier) ?? qualifier));
    return columns.map((c) => item(c.name, kinds.Field, c.type));
  }
  const [functions, ...columns] = await Promise.all([
    orNone(resources.functions()),
    ...[...new Set(tables.values())].map((table) => orNone(resources.columns(table))),
  ]);
  return [
    ...columns.flat().map((c) => item(c.name, kinds.Field, c.type, { sortText: `0${c.name}` })),
    ...functions.map((name) =>
      item(name, kinds.Function, 'function', {
        insertText: `${name}($0)`,
        insertTextRules: monaco.languages.CompletionItemInsertTextRule.InsertAsSnippet,
        sortText: `2${name}`,
      })
    ),
    ...[...keywords, ...units].map((word) => item(word, kinds.Keyword, undefined, { sortText: `1${word}` })),
  ];
}

/** placeAt is where in the statement a position is; undefined inside strings and comments, where nothing is completed. */
export function placeAt(sql: string, offset: number): Place | undefined {
  let at = 0;
  let code = '';
  for (const part of contexts(sql)) {
    const end = at + part.text.length;
    if (part.context === 'code') {
      code += part.text;
    } else {
      if (offset > at && offset < end) {
        return undefined;
      }
      code += part.context === 'name' ? part.text.slice(1, -1) : ' ';
    }
    at = end;
  }
  const before = sql.slice(0, offset);
  const word = /\$?\w*$/.exec(before)?.[0] ?? '';
  return { word, before: before.slice(0, before.length - word.length), code };
}

/** tablesOf finds the tables of a statement, each by its name and its alias. */
export function tablesOf(code: string): Map<string, string> {
  const tables = new Map<string, string>();
  const pattern = /\b(?:from|join)\s+(?:\w+\.)?(\w+)(?:\s+(?:as\s+)?(\w+))?/gi;
  for (const [, table = '', alias] of code.matchAll(pattern)) {
    tables.set(table, table);
    if (alias && !isKeyword(alias)) {
      tables.set(alias, table);
    }
  }
  return tables;
}

function isKeyword(word: string): boolean {
  return keywords.some((k) => k.split(' ')[0] === word.toUpperCase());
}

// macroText is a snippet: $ begins a tab stop and must be escaped, and each argument is one.
function macroText({ name, args }: Macro): string {
  const text = name.replace('$', '\\$');
  return args ? `${text}(${args.map((arg, n) => `\${${n + 1}:${arg}}`).join(', ')})` : text;
}

async function orNone<T>(list: Promise<T[]>): Promise<T[]> {
  try {
    return await list;
  } catch {
    return [];
  }
}
