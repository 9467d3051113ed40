// Puts the values of template variables into queries. In SQL a value is always a value: it
// becomes a quoted literal, or is escaped where the query has quotes around it already, so that
// no value ends a string or begins SQL of its own. `${name:raw}` is the way out, and visible.
import type { ScopedVars } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';

import type { MillraceQuery, MillraceVariableQuery } from './query';
import { contexts } from './sql/contexts';

type Value = string | number | boolean | null | undefined;

export function interpolateQuery(query: MillraceQuery, scopedVars: ScopedVars): MillraceQuery {
  const text = (s: string | undefined) => s && interpolateText(s, scopedVars);
  return {
    ...query,
    view: text(query.view),
    measures: query.measures && interpolateList(query.measures, scopedVars),
    by: query.by && interpolateList(query.by, scopedVars),
    where: query.where && interpolateSQL(query.where, scopedVars),
    order: text(query.order),
    step: text(query.step),
    board: text(query.board),
    window: text(query.window),
    sql: query.sql && interpolateSQL(query.sql, scopedVars),
  };
}

export function interpolateVariableQuery(query: MillraceVariableQuery, scopedVars: ScopedVars): MillraceVariableQuery {
  return {
    ...query,
    view: query.view && interpolateText(query.view, scopedVars),
    column: query.column && interpolateText(query.column, scopedVars),
    sql: query.sql && interpolateSQL(query.sql, scopedVars),
  };
}

/**
 * interpolateSQL fills the variables in SQL, each by the place where it stands. Comments stay as
 * they are, and so do the back end's macros, `$__timeFilter` and its kin; `${__from}` is Grafana's own.
 */
export function interpolateSQL(sql: string, scopedVars: ScopedVars = {}): string {
  const templates = getTemplateSrv();
  return contexts(sql)
    .map(({ context, text, quote = '' }) => {
      if (context === 'comment') {
        return text;
      }
      const format = formats[context](quote);
      return text
        .split(/(\$__\w+)/)
        .map((piece) => (piece.startsWith('$__') ? piece : templates.replace(piece, scopedVars, format)))
        .join('');
    })
    .join('');
}

const formats = {
  code: () => join(literal, ',', 'NULL'),
  string: () => join(escape, "','"),
  name: (quote: string) => join(escape, `${quote},${quote}`),
};

// Names in the parameters of the API, which are no SQL.
export function interpolateText(text: string, scopedVars: ScopedVars): string {
  return getTemplateSrv().replace(text, scopedVars, join(String, ','));
}

function interpolateList(items: string[], scopedVars: ScopedVars): string[] {
  return items.flatMap((item) => interpolateText(item, scopedVars).split(',')).filter((item) => item !== '');
}

// join is the format function that Grafana calls with a variable's value: one, or a list where several are chosen.
function join(each: (value: Value) => string, separator: string, none = '') {
  return (value: Value | Value[]): string => {
    if (!Array.isArray(value)) {
      return each(value);
    }
    return value.length > 0 ? value.map(each).join(separator) : none;
  };
}

function literal(value: Value): string {
  if (value === null || value === undefined) {
    return 'NULL';
  }
  return typeof value === 'string' ? `'${escape(value)}'` : String(value);
}

// One escaping for strings and both kinds of quoted names: a backslash before any of the three quotes is just that quote.
function escape(value: Value): string {
  return String(value ?? '')
    .replace(/[\\'"`]/g, '\\$&')
    .replaceAll('\0', '\\0');
}
