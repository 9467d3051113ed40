import type { QueryEditorHelpProps } from '@grafana/data';
import { Button } from '@grafana/ui';
import React from 'react';

import { defaultQuery, type MillraceQuery } from '../query';

const examples: Array<{ title: string; sql: string; about: string }> = [
  {
    title: 'Events over time',
    sql: 'SELECT $__timeInterval(ts) AS time, count() AS events\nFROM clicks\nWHERE $__timeFilter(ts)\nGROUP BY time\nORDER BY time',
    about: 'One row for each interval of the panel, over the stream itself: batch and speed as one.',
  },
  {
    title: 'The newest rows',
    sql: 'SELECT * FROM clicks WHERE $__timeFilter(ts) ORDER BY ts DESC LIMIT 100',
    about: 'As a table, or as logs.',
  },
  {
    title: 'A variable with several values',
    sql: 'SELECT country, count() AS events\nFROM clicks\nWHERE $__timeFilter(ts) AND country IN ($country)\nGROUP BY country',
    about: 'Values are quoted for you: write $country, not quotes around it. ${name:raw} puts a value in as it is, for a LIMIT or a column.',
  },
];

/** QueryHelp is the cheat sheet behind the question mark of the editor. */
export function QueryHelp({ query, onClickExample }: QueryEditorHelpProps<MillraceQuery>) {
  return (
    <div>
      <h2>Millrace</h2>
      {examples.map(({ title, sql, about }) => (
        <section key={title}>
          <h3>{title}</h3>
          <p>{about}</p>
          <pre>{sql}</pre>
          <Button
            size="sm"
            variant="secondary"
            onClick={() => onClickExample({ ...defaultQuery, ...query, mode: 'sql', format: 'table', sql })}
          >
            Use: {title}
          </Button>
        </section>
      ))}
    </div>
  );
}
