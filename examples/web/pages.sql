-- What the tracker sends. An event's id makes it count once, however often it comes: the
-- tracker sends a batch again until it knows that it arrived.
CREATE STREAM IF NOT EXISTS pages (
  id String, ts DateTime64(3), type LowCardinality(String),
  url String, page String, referrer String, title String,
  screen LowCardinality(String), language LowCardinality(String),
  session String, visitor String, props String
) WITH (event_time = 'ts', partition_by = 'page', partitions = 2, dedupe_key = 'id');

CREATE VIEW IF NOT EXISTS page_views AS
SELECT page, count() AS views, uniq(visitor) AS visitors
FROM pages WHERE type = 'page_view'
GROUP BY page
WITH (batch = '*/15 * * * *');

-- The pages by views, of all time and of each day. A member of a leaderboard is what the
-- stream is partitioned by.
CREATE LEADERBOARD IF NOT EXISTS top_pages AS
SELECT page, count() AS views
FROM pages WHERE type = 'page_view'
GROUP BY page
WITH (windows = 'all,day');
