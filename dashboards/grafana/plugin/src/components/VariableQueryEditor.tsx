import type { QueryEditorProps } from '@grafana/data';
import { Combobox, InlineField, InlineFieldRow, TextArea, type ComboboxOption } from '@grafana/ui';
import React, { useCallback, useId } from 'react';

import type { MillraceDataSource } from '../datasource';
import { interpolateSQL, interpolateText } from '../interpolate';
import type { MillraceOptions, MillraceQuery, MillraceVariableQuery, VariableKind } from '../query';
import { NameSelect } from './NameSelect';
import { Unreachable } from './Unreachable';
import { useAnswer } from './useAnswer';
import { useCheck, verdictText } from './useCheck';

type Props = QueryEditorProps<MillraceDataSource, MillraceQuery, MillraceOptions, MillraceVariableQuery>;

const kinds: Array<ComboboxOption<VariableKind>> = [
  { value: 'values', label: 'Values of a column', description: 'What a group column of a view holds now' },
  { value: 'sql', label: 'Rows of SQL', description: 'The first column; or __text and __value' },
  { value: 'views', label: 'Views' },
  { value: 'streams', label: 'Streams' },
  { value: 'leaderboards', label: 'Leaderboards' },
];

/** VariableQueryEditor chooses what a dashboard's variable is chosen from. */
export function VariableQueryEditor({ datasource, query, onChange, onRunQuery }: Props) {
  const id = useId();
  const kind = query.kind ?? 'values';
  const sql = query.sql ?? '';
  const check = useCallback((text: string) => datasource.resources.checkSQL(interpolateSQL(text)), [datasource]);
  const verdict = useCheck(kind === 'sql' ? sql : '', check);

  const changeAndRun = (changed: Partial<MillraceVariableQuery>) => {
    onChange({ ...query, kind, ...changed });
    onRunQuery();
  };

  return (
    <>
      <InlineField label="Choose among" labelWidth={16}>
        <Combobox
          id={`${id}-kind`}
          options={kinds}
          value={kind}
          onChange={(chosen) => changeAndRun({ kind: chosen.value })}
          width={32}
        />
      </InlineField>
      {kind === 'values' && <ColumnOfView datasource={datasource} query={query} changeAndRun={changeAndRun} />}
      {kind === 'sql' && (
        <>
          <InlineField label="SQL" labelWidth={16} grow invalid={verdict?.ok === false} error={verdictText(verdict)}>
            <TextArea
              id={`${id}-sql`}
              value={sql}
              rows={4}
              spellCheck={false}
              placeholder="SELECT DISTINCT country FROM page_hits ORDER BY country"
              onChange={(e) => onChange({ ...query, kind, sql: e.currentTarget.value })}
              onBlur={onRunQuery}
            />
          </InlineField>
          {verdict && verdict.ok === undefined && <p role="status">{verdictText(verdict)}</p>}
        </>
      )}
    </>
  );
}

interface ColumnProps {
  datasource: MillraceDataSource;
  query: MillraceVariableQuery;
  changeAndRun: (changed: Partial<MillraceVariableQuery>) => void;
}

function ColumnOfView({ datasource, query, changeAndRun }: ColumnProps) {
  const views = useAnswer(useCallback(() => datasource.resources.views(), [datasource]));
  const view = views.value?.find((v) => v.name === interpolateText(query.view ?? '', {}));
  const columns = view?.columns.filter((c) => c.role === 'group').map((c) => ({ value: c.name, description: c.type }));
  const retry = () => {
    datasource.resources.forget();
    views.retry();
  };
  return (
    <>
      <Unreachable what="its views" error={views.error} onRetry={retry} />
      <InlineFieldRow>
        <NameSelect
          label="View"
          what="view"
          labelWidth={16}
          names={{ ...views, error: undefined, value: views.value?.map((v) => ({ value: v.name, description: `of ${v.stream}` })) }}
          value={query.view}
          onChange={(chosen) => changeAndRun({ view: chosen, column: chosen === query.view ? query.column : undefined })}
        />
        <NameSelect
          label="Column"
          what="group column"
          labelWidth={16}
          names={{ ...views, error: undefined, value: columns }}
          value={query.column}
          onChange={(column) => changeAndRun({ column })}
        />
      </InlineFieldRow>
    </>
  );
}
