-- The airports of the last hour, every two minutes, as a page that a mail would have too.
CREATE REPORT IF NOT EXISTS busiest_airports SCHEDULE '*/2 * * * *' AS
SELECT airport, sum(flights) AS flights, sum(late) AS late
FROM airports
WHERE window_start >= now() - INTERVAL 1 HOUR
GROUP BY airport
ORDER BY flights DESC
LIMIT 12
WITH (format = 'html', chart = 'bar', title = 'The busiest airports of the last hour',
      deliver = 'file:busiest/{date}-{time}.html');

-- How late flights are, minute by minute, as a workbook.
CREATE REPORT IF NOT EXISTS delays_by_minute SCHEDULE '*/5 * * * *' AS
SELECT window_start AS minute, class, sum(flights) AS flights
FROM delays
WHERE window_start >= now() - INTERVAL 1 HOUR
GROUP BY minute, class
ORDER BY minute, class
WITH (format = 'xlsx', chart = 'line', title = 'Delays of the last hour',
      deliver = 'file:delays/{date}-{time}.xlsx');
