-- Flights of U.S. airlines, reported one by one. `reported` is when the report came in;
-- `scheduled` is the flight's own time.
CREATE STREAM IF NOT EXISTS flights (
  reported    DateTime64(3),
  scheduled   DateTime64(0),
  origin      LowCardinality(String),
  destination LowCardinality(String),
  delay       Int64,
  distance    Int64
) WITH (event_time = 'reported', partition_by = 'origin', partitions = 2, retention = '24h');

-- How each airport does, minute by minute.
CREATE VIEW IF NOT EXISTS airports AS
SELECT origin AS airport, count() AS flights, avg(delay) AS mean_delay,
       quantile(0.95)(delay) AS p95_delay, countIf(delay > 15) AS late, uniq(destination) AS destinations
FROM flights
GROUP BY airport, tumble(reported, INTERVAL 1 MINUTE)
WITH (batch = '*/2 * * * *');

-- The routes, for all time.
CREATE VIEW IF NOT EXISTS routes AS
SELECT origin, destination, count() AS flights, sum(distance) AS miles, avg(delay) AS mean_delay
FROM flights
GROUP BY origin, destination
WITH (batch = '*/5 * * * *');

-- When in the day flights are late.
CREATE VIEW IF NOT EXISTS hours AS
SELECT toHour(scheduled) AS hour, count() AS flights, countIf(delay > 15) AS late,
       countIf(delay > 15) / count() AS late_share
FROM flights
GROUP BY hour
WITH (batch = '*/5 * * * *');

-- How late they are.
CREATE VIEW IF NOT EXISTS delays AS
SELECT multiIf(delay < -10, 'early', delay <= 15, 'on time', delay <= 60, 'late', 'very late') AS class,
       count() AS flights, min(delay) AS least, max(delay) AS most
FROM flights
GROUP BY class, tumble(reported, INTERVAL 1 MINUTE)
WITH (batch = '*/2 * * * *');

-- The busiest airports, ranked: of all time, and of each hour.
CREATE LEADERBOARD IF NOT EXISTS busiest AS
SELECT origin AS airport, count() AS flights
FROM flights
GROUP BY airport
WITH (windows = 'all,hour', keep = '7d', batch = '*/5 * * * *');
