// Words of Millrace's SQL that the editor colours and completes; docs/sql.md says what they mean.

export const keywords =
  'select distinct from where group by order limit offset as and or not in is null like ilike between case when then else end with join left right inner full outer cross on using union all asc desc having ' +
  'create drop show describe exists explain stream view leaderboard report streams views leaderboards reports if interval second minute hour day week month quarter year asof array any prewhere final settings format over partition rows range qualify schedule time zone';

/** In the case that ClickHouse wants: its types and most of its functions have one only. */
export const types =
  'String Bool Date Date32 DateTime DateTime64 Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float32 Float64 Decimal LowCardinality Nullable UUID IPv4 IPv6';

export const functions =
  'count countIf sum sumIf avg avgIf min minIf max maxIf uniq uniqIf quantile quantileIf tumble argMin argMax now now64 today yesterday toDate toDateTime toStartOfMinute toStartOfHour toStartOfDay ' +
  'toStartOfInterval toHour toDayOfWeek multiIf coalesce ifNull round floor ceil abs lower upper length concat substring position replaceAll splitByChar formatDateTime dateDiff toString toInt64 toUInt64 toFloat64';
