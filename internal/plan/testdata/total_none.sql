INSERT INTO total (_generation, _day, _pane, s0, _rows)
SETTINGS max_partitions_per_insert_block = 0
WITH reinterpretAsInt64(ts) AS _ticks, (intDiv(_ticks, toInt64(86400000)) - (_ticks % toInt64(86400000) < 0)) * 86400 AS _seconds
SELECT toUInt64(1), toDate32(toDateTime64(_seconds, 0, 'UTC')), toDateTime64(_seconds, 0, 'UTC'), sumState(price), countState()
FROM events
WHERE false
GROUP BY _seconds
