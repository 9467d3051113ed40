import { Alert, Combobox, InlineField, InlineFieldRow, Input, MultiCombobox, type ComboboxOption } from '@grafana/ui';
import React, { useCallback, useId } from 'react';

import { interpolateSQL } from '../interpolate';
import type { View } from '../resources';
import { NameSelect } from './NameSelect';
import { wholeNumber } from './numbers';
import type { ModeProps } from './QueryEditor';
import { Unreachable } from './Unreachable';
import { useAnswer } from './useAnswer';
import { useCheck, verdictText } from './useCheck';

const wholeRange = 'none';
const panelInterval = 'panel';
// In the list of group columns: every group merged into one.
const noGroups = '(none)';

const steps: ComboboxOption[] = [
  { value: panelInterval, label: 'Panel’s interval', description: 'As fine as the panel can draw' },
  { value: wholeRange, label: 'Whole range', description: 'One row for each group, without time' },
  { value: '1m', label: '1 minute' },
  { value: '5m', label: '5 minutes' },
  { value: '15m', label: '15 minutes' },
  { value: '1h', label: '1 hour' },
  { value: '1d', label: '1 day' },
  { value: '1w', label: '1 week' },
  { value: '1mo', label: '1 month' },
];

/** ViewEditor builds a query on a view from the columns that the view has. */
export function ViewEditor({ datasource, query, change, changeAndRun, onRunQuery }: ModeProps) {
  const id = useId();
  const views = useAnswer(useCallback(() => datasource.resources.views(), [datasource]));
  const name = datasource.applyTemplateVariables(query, {}).view;
  const view = views.value?.find((v) => v.name === name);

  const where = query.where ?? '';
  const check = useCallback(
    (text: string) => datasource.resources.checkWhere(name ?? '', interpolateSQL(text)),
    [datasource, name]
  );
  const verdict = useCheck(view ? where : '', check);

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
          names={{ ...views, error: undefined, value: views.value?.map(viewOption) }}
          value={query.view}
          onChange={(chosen) => {
            // Columns of one view mean nothing in another.
            const fresh = chosen === query.view ? {} : { measures: undefined, by: [], where: undefined, order: undefined };
            changeAndRun({ view: chosen, ...fresh });
          }}
        />
        <InlineField label="Step" labelWidth={14} tooltip="How much time one row covers. Write a span such as 10m for another">
          <Combobox
            id={`${id}-step`}
            options={steps}
            value={query.step || panelInterval}
            onChange={(chosen) => changeAndRun({ step: chosen.value === panelInterval ? '' : chosen.value })}
            createCustomValue
            customValueDescription="A span of time: 30s, 10m, 6h, 2d, 1q, 1y"
            width={24}
          />
        </InlineField>
      </InlineFieldRow>
      {view?.state && view.state !== 'ready' && (
        <Alert title={`${view.name} is ${view.state}: its answers may not be complete`} severity="warning" topSpacing={1} bottomSpacing={1} />
      )}
      <InlineFieldRow>
        <InlineField label="Measures" labelWidth={14} tooltip="What is drawn. Without a choice: all measures of the view">
          <MultiCombobox
            id={`${id}-measures`}
            options={columnOptions(view, 'measure')}
            value={query.measures ?? []}
            onChange={(chosen) => changeAndRun({ measures: chosen.length > 0 ? chosen.map((o) => o.value) : undefined })}
            createCustomValue
            loading={views.loading}
            placeholder="All measures"
            width="auto"
            minWidth={32}
            maxWidth={80}
          />
        </InlineField>
        <InlineField label="Group by" labelWidth={14} tooltip="One series for each value. Without a choice: every group column">
          <MultiCombobox
            id={`${id}-by`}
            options={[{ value: noGroups, description: 'Every group merged into one' }, ...columnOptions(view, 'group')]}
            value={query.by?.length === 0 ? [noGroups] : (query.by ?? [])}
            onChange={(chosen) => changeAndRun({ by: groupColumns(chosen.map((o) => o.value), query.by) })}
            createCustomValue
            loading={views.loading}
            placeholder="Every group column"
            width="auto"
            minWidth={32}
            maxWidth={80}
          />
        </InlineField>
      </InlineFieldRow>
      <InlineField
        label="Where"
        labelWidth={14}
        grow
        tooltip="A condition over the group columns, in SQL. Variables become quoted values: page IN ($page)"
        invalid={verdict?.ok === false}
        error={verdictText(verdict)}
      >
        <Input
          id={`${id}-where`}
          value={where}
          placeholder={wherePlaceholder(view)}
          spellCheck={false}
          onChange={(e) => change({ where: e.currentTarget.value || undefined })}
          onBlur={onRunQuery}
          onKeyDown={(e) => e.key === 'Enter' && onRunQuery()}
        />
      </InlineField>
      {verdict && verdict.ok === undefined && <p role="status">{verdictText(verdict)}</p>}
      <InlineFieldRow>
        <InlineField label="Order by" labelWidth={14} tooltip="In the order in which they are chosen">
          <MultiCombobox
            id={`${id}-order`}
            options={orderOptions(view)}
            value={query.order ? query.order.split(',') : []}
            onChange={(chosen) => changeAndRun({ order: chosen.map((o) => o.value).join(',') || undefined })}
            createCustomValue
            placeholder="As they come"
            width="auto"
            minWidth={32}
            maxWidth={80}
          />
        </InlineField>
        <InlineField label="Limit" labelWidth={14} tooltip="Most rows">
          <Input
            id={`${id}-limit`}
            type="number"
            min={1}
            step={1}
            width={16}
            value={query.limit ?? ''}
            placeholder="No limit"
            onChange={(e) => change({ limit: wholeNumber(e.currentTarget.value) })}
            onBlur={onRunQuery}
            onKeyDown={(e) => e.key === 'Enter' && onRunQuery()}
          />
        </InlineField>
      </InlineFieldRow>
    </>
  );
}

function viewOption(view: View): ComboboxOption {
  const state = view.state && view.state !== 'ready' ? `, ${view.state}` : '';
  return { value: view.name, description: `of ${view.stream}${state}` };
}

function columnOptions(view: View | undefined, role: string): ComboboxOption[] {
  return (view?.columns ?? []).filter((c) => c.role === role).map((c) => ({ value: c.name, description: c.type }));
}

function orderOptions(view: View | undefined): ComboboxOption[] {
  const columns = (view?.columns ?? []).filter((c) => c.role !== 'window').map((c) => c.name);
  return columns.flatMap((name) => [
    { value: `-${name}`, label: `${name} ↓`, description: 'Greatest first' },
    { value: name, label: `${name} ↑`, description: 'Least first' },
  ]);
}

// groupColumns turns what is chosen into the query's list. "None" and columns exclude each
// other: whichever was there before gives way to the other.
function groupColumns(chosen: string[], before: string[] | undefined): string[] | undefined {
  const columns = chosen.filter((name) => name !== noGroups);
  if (chosen.includes(noGroups) && (columns.length === 0 || before === undefined || before.length > 0)) {
    return [];
  }
  return columns.length > 0 ? columns : undefined;
}

function wherePlaceholder(view: View | undefined): string {
  const column = view?.columns.find((c) => c.role === 'group')?.name;
  return column ? `${column} IN ($variable)` : 'All rows';
}
