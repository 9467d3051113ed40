INSERT INTO daily (_generation, _day, _pane, d, n, _rows)
SETTINGS max_partitions_per_insert_block = 0
WITH toInt64(toUInt16(d)) * 86400 AS _seconds
SELECT toUInt64(2), toDate32(toDateTime64(_seconds, 0, 'UTC')), toDateTime64(_seconds, 0, 'UTC'), d, n, countState()
FROM events
WHERE d >= toDate('1970-01-01') AND (intDiv(_seconds, toInt64(86400)) - (_seconds % toInt64(86400) < 0)) IN (0, 65535)
GROUP BY _seconds, d, n
