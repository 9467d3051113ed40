/** The words of ClickHouse's SELECT, for colours and completion. */
export const keywords = [
  'ALL', 'AND', 'ANTI', 'ANY', 'ARRAY JOIN', 'AS', 'ASC', 'ASOF', 'BETWEEN', 'BY', 'CASE', 'CAST', 'CROSS', 'CUBE', 'DATE', 'DESC',
  'DISTINCT', 'ELSE', 'END', 'EXCEPT', 'EXISTS', 'FALSE', 'FILL', 'FINAL', 'FOLLOWING', 'FROM', 'FULL', 'GLOBAL', 'GROUP BY', 'HAVING',
  'ILIKE', 'IN', 'INNER', 'INTERPOLATE', 'INTERSECT', 'INTERVAL', 'IS', 'JOIN', 'LEFT', 'LIKE', 'LIMIT', 'NOT', 'NULL', 'NULLS', 'OFFSET',
  'ON', 'OR', 'ORDER BY', 'OUTER', 'OVER', 'PARTITION BY', 'PRECEDING', 'PREWHERE', 'QUALIFY', 'RANGE', 'RIGHT', 'ROLLUP', 'ROWS', 'SAMPLE',
  'SELECT', 'SEMI', 'SETTINGS', 'THEN', 'TIES', 'TO', 'TOTALS', 'TRUE', 'UNBOUNDED', 'UNION', 'USING', 'WHEN', 'WHERE', 'WINDOW', 'WITH',
] as const;

/** The units of INTERVAL. */
export const units = ['SECOND', 'MINUTE', 'HOUR', 'DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR'] as const;
