// A table of an answer: sorted by a click on a heading, and drawn only as far as it is
// seen, so that 10,000 rows scroll as 50 do.

import { useMemo, useRef, useState } from 'preact/hooks';
import type { Column, ViewColumn } from '../api/types.ts';
import type { Value } from '../api/exact.ts';
import { cell, isNumeric, isTime } from '../format/cells.ts';
import { compareValues } from '../format/order.ts';
import { parseTime } from '../format/time.ts';
import { Time } from './basics.tsx';

const rowPixels = 26;
const extraRows = 20;

interface Sort {
  column: number;
  descending: boolean;
}

export function DataTable({ label, columns, rows, bar, height = 520 }: {
  label: string; columns: (Column | ViewColumn)[]; rows: Value[][]; bar?: number; height?: number;
}) {
  const [sort, setSort] = useState<Sort>();
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const sorted = useMemo(() => {
    if (!sort) return rows;
    const sign = sort.descending ? -1 : 1;
    return [...rows].sort((a, b) => compareValues(a[sort.column] ?? null, b[sort.column] ?? null, sign));
  }, [rows, sort]);
  const most = useMemo(() => (bar === undefined ? 0 : Math.max(...rows.map((r) => Math.abs(Number(r[bar]) || 0)), 0)), [rows, bar]);

  const windowed = rows.length > 200;
  const first = windowed ? Math.max(0, Math.floor(top / rowPixels) - extraRows) : 0;
  const last = windowed ? Math.min(sorted.length, first + Math.ceil(height / rowPixels) + 2 * extraRows) : sorted.length;
  const next = (column: number): void =>
    setSort((old) => (old?.column !== column ? { column, descending: isNumeric(columns[column]?.type ?? '') } : { column, descending: !old.descending }));

  return (
    <div class="scroll" ref={box} tabIndex={0} role="group" aria-label={label} style={{ maxHeight: `${height}px` }}
      onScroll={windowed ? (e) => setTop(e.currentTarget.scrollTop) : undefined}>
      <table class="data" aria-rowcount={sorted.length + 1}>
        <thead>
          <tr>
            {columns.map((c, i) => (
              <th key={i} scope="col" class={isNumeric(c.type) ? 'n' : ''} aria-sort={sort?.column === i ? (sort.descending ? 'descending' : 'ascending') : undefined}>
                <button type="button" class="sort" title={`${c.type}; sort by it`} onClick={() => next(i)}>{c.name}</button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr class="gap" aria-hidden="true"><td colSpan={columns.length} style={{ height: `${first * rowPixels}px` }} /></tr>}
          {sorted.slice(first, last).map((row, i) => (
            <tr key={first + i} aria-rowindex={windowed ? first + i + 2 : undefined}>
              {columns.map((c, j) => <Cell key={j} column={c} value={row[j] ?? null} share={j === bar && most ? Math.abs(Number(row[j]) || 0) / most : undefined} />)}
            </tr>
          ))}
          {last < sorted.length && <tr class="gap" aria-hidden="true"><td colSpan={columns.length} style={{ height: `${(sorted.length - last) * rowPixels}px` }} /></tr>}
        </tbody>
      </table>
    </div>
  );
}

function Cell({ column, value, share }: { column: Column; value: Value; share: number | undefined }) {
  if (value === null) return <td class={isNumeric(column.type) ? 'n null' : 'null'}>null</td>;
  if (typeof value === 'string' && isTime(column.type)) {
    const ms = parseTime(value);
    if (!Number.isNaN(ms)) return <td class="t"><Time at={ms} /></td>;
  }
  const numeric = isNumeric(column.type);
  const text = cell(value);
  return (
    <td class={numeric ? 'n' : ''} title={text.length > 60 ? text : undefined}>
      {share !== undefined && <i class="bar" aria-hidden="true" style={{ width: `${share * 100}%` }} />}
      <span>{text}</span>
    </td>
  );
}
