import { InlineField, InlineFieldRow, Input } from '@grafana/ui';
import React, { useCallback, useId } from 'react';

import { NameSelect } from './NameSelect';
import { wholeNumber } from './numbers';
import type { ModeProps } from './QueryEditor';
import { Unreachable } from './Unreachable';
import { useAnswer } from './useAnswer';

// The most that one page of a leaderboard has.
const maxMembers = 1000;

/** LeaderboardEditor asks for the best members of a leaderboard in one of its windows. */
export function LeaderboardEditor({ datasource, query, change, changeAndRun, onRunQuery }: ModeProps) {
  const id = useId();
  const boards = useAnswer(useCallback(() => datasource.resources.leaderboards(), [datasource]));
  const name = datasource.applyTemplateVariables(query, {}).board;
  const board = boards.value?.find((b) => b.name === name);
  const tooMany = (query.n ?? 0) > maxMembers;

  const retry = () => {
    datasource.resources.forget();
    boards.retry();
  };

  return (
    <>
      <Unreachable what="its leaderboards" error={boards.error} onRetry={retry} />
      <InlineFieldRow>
        <NameSelect
          label="Leaderboard"
          what="leaderboard"
          names={{ ...boards, error: undefined, value: boards.value?.map((b) => ({ value: b.name })) }}
          value={query.board}
          onChange={(chosen) => changeAndRun({ board: chosen, window: chosen === query.board ? query.window : undefined })}
        />
        <NameSelect
          label="Window"
          what="window"
          tooltip="Over which time members are ranked; the present window of that kind"
          names={{ ...boards, error: undefined, value: board?.windows?.map((w) => ({ value: w })) }}
          value={query.window}
          onChange={(window) => changeAndRun({ window })}
        />
        <InlineField
          label="Members"
          labelWidth={14}
          tooltip="How many of the best"
          invalid={tooMany}
          error={`At most ${maxMembers.toLocaleString('en')} members`}
        >
          <Input
            id={`${id}-n`}
            type="number"
            min={1}
            max={maxMembers}
            step={1}
            width={16}
            value={query.n ?? ''}
            placeholder="10"
            onChange={(e) => change({ n: wholeNumber(e.currentTarget.value) })}
            onBlur={onRunQuery}
            onKeyDown={(e) => e.key === 'Enter' && onRunQuery()}
          />
        </InlineField>
      </InlineFieldRow>
    </>
  );
}
