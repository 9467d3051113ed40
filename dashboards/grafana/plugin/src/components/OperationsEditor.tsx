import { Combobox, InlineField, type ComboboxOption } from '@grafana/ui';
import React, { useId } from 'react';

import type { OperationsTable } from '../query';
import type { ModeProps } from './QueryEditor';

const tables: Array<ComboboxOption<OperationsTable>> = [
  { value: 'pulse', label: 'Pulse', description: 'Rates and lags of every step, as one row' },
  { value: 'streams', label: 'Streams', description: 'Events, rates and refused rows by stream' },
  { value: 'views', label: 'Views', description: 'Generation, cut, lag and state by view' },
  { value: 'leaderboards', label: 'Leaderboards', description: 'Lag and state by leaderboard' },
  { value: 'batches', label: 'Batch runs', description: 'Newest first, with their drift' },
  { value: 'errors', label: 'Dead letters', description: 'What was refused, by stream and reason' },
  { value: 'parts', label: 'Parts', description: 'Whether Redis, the engine and the log are well' },
];

/** OperationsEditor asks the server about itself. */
export function OperationsEditor({ query, changeAndRun }: ModeProps) {
  const id = useId();
  return (
    <InlineField label="About" labelWidth={14}>
      <Combobox
        id={`${id}-table`}
        options={tables}
        value={query.table ?? 'pulse'}
        onChange={(chosen) => changeAndRun({ table: chosen.value })}
        width={32}
      />
    </InlineField>
  );
}
