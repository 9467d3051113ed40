// Words of Millrace's SQL that the editor colours and completes; docs/sql.md says what they mean.

export const keywords =
  'select distinct from where group by order limit offset as and or not in is null like ilike between case when then else end with join left right inner full outer cross on using union all asc desc having ' +
  'create drop show describe exists explain stream view leaderboard report streams views leaderboards reports if interval second minute hour day week month quarter year asof array any prewhere final settings format over partition rows range qualify schedule time zone';

export const types =
  'string bool date date32 datetime datetime64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 decimal lowcardinality nullable uuid ipv4 ipv6';

export const functions =
  'count countif sum sumif avg avgif min minif max maxif uniq uniqif quantile quantileif tumble any argmin argmax now now64 today yesterday todate todatetime tostartofminute tostartofhour tostartofday ' +
  'tostartofinterval tohour todayofweek if multiif coalesce ifnull round floor ceil abs lower upper length concat substring position replaceall splitbychar formatdatetime datediff tostring toint64 touint64 tofloat64';
