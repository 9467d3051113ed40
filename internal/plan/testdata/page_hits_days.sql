INSERT INTO `page_hits.1` (_generation, _day, _pane, page, country, s0, s1, s2, _rows)
SETTINGS max_partitions_per_insert_block = 0
WITH reinterpretAsInt64(ts) AS _ticks, (intDiv(_ticks, toInt64(60000)) - (_ticks % toInt64(60000) < 0)) * 60 AS _seconds
SELECT toUInt64(7), toDate32(toDateTime64(_seconds, 0, 'UTC')), toDateTime64(_seconds, 0, 'UTC'), lower(page), CAST(country AS Nullable(String)), uniqState(user_id), sumIfState(price, CAST(latency_ms < 100 AS Bool)), quantileTDigestState(0.95)(latency_ms), countState()
FROM file('lake/*.parquet')
WHERE ts >= toDateTime64('1969-12-31 00:00:00', 3, 'UTC') AND ts < toDateTime64('2024-05-03 00:00:00', 3, 'UTC') AND (intDiv(_seconds, toInt64(86400)) - (_seconds % toInt64(86400) < 0)) IN (-1, 19844, 19845) AND (ok AND (price > 0))
GROUP BY _seconds, lower(page), country
