import { CoreApp, type QueryEditorProps, type SelectableValue } from '@grafana/data';
import { InlineField, InlineFieldRow, InlineSwitch, RadioButtonGroup } from '@grafana/ui';
import React, { useId } from 'react';

import type { MillraceDataSource } from '../datasource';
import { canStream, defaultQuery, type MillraceOptions, type MillraceQuery, type QueryFormat, type QueryMode } from '../query';
import { LeaderboardEditor } from './LeaderboardEditor';
import { OperationsEditor } from './OperationsEditor';
import { SqlEditor } from './SqlEditor';
import { ViewEditor } from './ViewEditor';

export type Props = QueryEditorProps<MillraceDataSource, MillraceQuery, MillraceOptions>;

const modes: Array<SelectableValue<QueryMode>> = [
  { value: 'view', label: 'View', description: 'Build a query on a view' },
  { value: 'sql', label: 'SQL', description: 'Any SELECT of ClickHouse over streams and views' },
  { value: 'leaderboard', label: 'Leaderboard', description: 'The best members of a leaderboard' },
  { value: 'operations', label: 'Operations', description: 'What the server says of its own work' },
];

const formats: Array<SelectableValue<QueryFormat>> = [
  { value: 'time_series', label: 'Time series' },
  { value: 'table', label: 'Table' },
  { value: 'logs', label: 'Logs' },
];

export function QueryEditor(props: Props) {
  const { query: stored, onChange, onRunQuery, app } = props;
  const query = { ...defaultQuery, ...stored };
  const id = useId();

  const change = (changed: Partial<MillraceQuery>) => {
    const next = { ...query, ...changed };
    onChange({ ...next, live: canStream(next) ? next.live : undefined });
  };
  const changeAndRun = (changed: Partial<MillraceQuery>) => {
    change(changed);
    onRunQuery();
  };

  // An alert rule is evaluated without anybody to stream to.
  const offersLive = app !== CoreApp.UnifiedAlerting && canStream(query);
  const hasFormat = query.mode === 'view' || query.mode === 'sql';
  const editor = { ...props, query, change, changeAndRun };

  return (
    <div>
      <InlineFieldRow>
        <InlineField label="Ask" labelWidth={14}>
          <RadioButtonGroup
            aria-label="Ask"
            options={modes}
            value={query.mode}
            onChange={(mode) => changeAndRun({ mode })}
          />
        </InlineField>
        {hasFormat && (
          <InlineField label="Format" labelWidth={14}>
            <RadioButtonGroup
              aria-label="Format"
              options={formats}
              value={query.format}
              onChange={(format) => changeAndRun({ format })}
            />
          </InlineField>
        )}
        {offersLive && (
          <InlineField label="Live" labelWidth={14} tooltip="Push the answer to this panel whenever it changes, between refreshes too">
            <InlineSwitch
              id={`${id}-live`}
              value={query.live ?? false}
              onChange={(e) => changeAndRun({ live: e.currentTarget.checked })}
            />
          </InlineField>
        )}
      </InlineFieldRow>
      {query.mode === 'view' && <ViewEditor {...editor} />}
      {query.mode === 'sql' && <SqlEditor {...editor} />}
      {query.mode === 'leaderboard' && <LeaderboardEditor {...editor} />}
      {query.mode === 'operations' && <OperationsEditor {...editor} />}
    </div>
  );
}

/** What the editor of one mode is given. */
export interface ModeProps extends Props {
  change: (changed: Partial<MillraceQuery>) => void;
  changeAndRun: (changed: Partial<MillraceQuery>) => void;
}
