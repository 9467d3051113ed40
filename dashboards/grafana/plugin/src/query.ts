// The query and the settings as Grafana stores them. The back end reads the same JSON, so
// a name here is a contract.
import type { DataQuery, DataSourceJsonData } from '@grafana/data';

export type QueryMode = 'view' | 'sql' | 'leaderboard' | 'operations';

export type QueryFormat = 'time_series' | 'table' | 'logs' | 'annotations';

/** What the server says of its own work: now as a whole, and by part. */
export type OperationsTable = 'pulse' | 'streams' | 'views' | 'leaderboards' | 'batches' | 'errors' | 'parts';

export interface MillraceQuery extends DataQuery {
  mode: QueryMode;

  view?: string;
  /** Columns to keep; without them all. */
  measures?: string[];
  /** Group columns to keep: undefined is all of them, an empty list merges every group into one. */
  by?: string[];
  /** A condition over the group columns. */
  where?: string;
  /** Columns by comma, `-` before one for descending. */
  order?: string;
  limit?: number;
  /** A span such as `5m`; '' is the panel's interval, 'none' one bucket for the whole range. */
  step?: string;

  board?: string;
  window?: string;
  /** How many of the best members. */
  n?: number;

  table?: OperationsTable;

  sql?: string;
  format?: QueryFormat;
  /** Stream the answer over Grafana Live whenever it changes. */
  live?: boolean;
}

export const defaultQuery: Omit<MillraceQuery, 'refId'> = { mode: 'view', format: 'time_series', by: [], step: '' };

/** What a dashboard's variable asks for. */
export interface MillraceVariableQuery extends DataQuery {
  kind: VariableKind;
  view?: string;
  column?: string;
  sql?: string;
}

export type VariableKind = 'values' | 'sql' | 'views' | 'streams' | 'leaderboards';

export interface MillraceOptions extends DataSourceJsonData {
  timeoutSeconds?: number;
  tlsSkipVerify?: boolean;
}

export interface MillraceSecureOptions {
  token?: string;
  tlsCACert?: string;
}

/** isComplete reports whether a query says enough to be run. */
export function isComplete(query: MillraceQuery): boolean {
  switch (query.mode) {
    case 'view':
      return Boolean(query.view);
    case 'leaderboard':
      return Boolean(query.board);
    case 'operations':
      return true;
    case 'sql':
      return Boolean(query.sql?.trim());
  }
}

// Of these tables a message of a live query has the rows of one moment, each with its time.
const liveTables: OperationsTable[] = ['pulse', 'streams', 'views', 'leaderboards'];

/** canStream reports whether the server pushes answers of such a query. */
export function canStream(query: MillraceQuery): boolean {
  switch (query.mode) {
    case 'view':
    case 'leaderboard':
      return true;
    case 'operations':
      return liveTables.includes(query.table ?? 'pulse');
    case 'sql':
      return false;
  }
}

/** displayText is the query in one line, for Explore's history. */
export function displayText(query: MillraceQuery): string {
  switch (query.mode) {
    case 'view': {
      const parts = [`view ${query.view ?? ''}`];
      if (query.by?.length) {
        parts.push(`by ${query.by.join(', ')}`);
      }
      if (query.where) {
        parts.push(`where ${query.where}`);
      }
      return parts.join(' ');
    }
    case 'leaderboard':
      return `leaderboard ${query.board ?? ''} ${query.window ?? ''}`.trimEnd();
    case 'operations':
      return `operations ${query.table ?? 'pulse'}`;
    case 'sql':
      return query.sql ?? '';
  }
}
