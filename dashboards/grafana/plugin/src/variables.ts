import {
  CustomVariableSupport,
  FieldType,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  type MetricFindValue,
  type ScopedVars,
} from '@grafana/data';
import { from, map, type Observable } from 'rxjs';

import { VariableQueryEditor } from './components/VariableQueryEditor';
import type { MillraceDataSource } from './datasource';
import { interpolateVariableQuery } from './interpolate';
import type { MillraceQuery, MillraceVariableQuery } from './query';

/** MillraceVariables lets dashboards choose among names, the values of a group column, or the rows of SQL. */
export class MillraceVariables extends CustomVariableSupport<MillraceDataSource, MillraceVariableQuery> {
  override editor = VariableQueryEditor;

  constructor(private readonly datasource: MillraceDataSource) {
    super();
  }

  override getDefaultQuery(): Partial<MillraceVariableQuery> {
    return { kind: 'values' };
  }

  override query(request: DataQueryRequest<MillraceVariableQuery>): Observable<DataQueryResponse> {
    const asked = request.targets[0];
    if (!asked) {
      return from([{ data: [] }]);
    }
    if (asked.kind === 'sql') {
      return this.rows(asked, request);
    }
    return from(this.names(asked, request.scopedVars)).pipe(map((names) => ({ data: names.map((text) => ({ text })) })));
  }

  private async names(asked: MillraceVariableQuery, scopedVars: ScopedVars): Promise<string[]> {
    const { resources } = this.datasource;
    switch (asked.kind) {
      case 'views':
        return (await resources.views()).map((v) => v.name);
      case 'streams':
        return (await resources.streams()).map((s) => s.name);
      case 'leaderboards':
        return (await resources.leaderboards()).map((b) => b.name);
      case 'values': {
        const { view, column } = interpolateVariableQuery(asked, scopedVars);
        return view && column ? resources.values(view, column) : [];
      }
      case 'sql':
        throw new Error('rows of SQL are no names');
    }
  }

  private rows(asked: MillraceVariableQuery, request: DataQueryRequest<MillraceVariableQuery>): Observable<DataQueryResponse> {
    if (!asked.sql?.trim()) {
      return from([{ data: [] }]);
    }
    const target: MillraceQuery = { refId: asked.refId || 'variable', mode: 'sql', format: 'table', sql: asked.sql };
    return this.datasource
      .query({ ...request, targets: [target] })
      .pipe(map((answer) => ({ ...answer, data: answer.data.flatMap((frame: DataFrame) => choices(frame)) })));
  }
}

/**
 * choices reads the rows of an answer: the columns `__text` and `__value` where they are there,
 * otherwise the first column is both.
 */
export function choices(frame: DataFrame): MetricFindValue[] {
  const named = (name: string) => frame.fields.find((f) => f.name === name);
  const value = named('__value') ?? named('__text') ?? frame.fields[0];
  const text = named('__text') ?? value;
  if (!value || !text) {
    return [];
  }
  const written = (v: unknown) => (value.type === FieldType.time && typeof v === 'number' ? new Date(v).toISOString() : String(v));
  const found: MetricFindValue[] = [];
  for (let row = 0; row < frame.length; row++) {
    const v: unknown = value.values[row];
    if (v !== null && v !== undefined) {
      found.push({ text: written(text.values[row] ?? v), value: written(v) });
    }
  }
  return found;
}
