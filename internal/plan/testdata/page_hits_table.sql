CREATE TABLE IF NOT EXISTS `page_hits.1` (
  _generation UInt64,
  _day Date32,
  _pane DateTime64(0, 'UTC'),
  page String,
  country Nullable(String),
  s0 AggregateFunction(uniq, String),
  s1 AggregateFunction(sumIf, Float64, Bool),
  s2 AggregateFunction(quantileTDigest(0.95), Int64),
  _rows AggregateFunction(count)
)
ENGINE = AggregatingMergeTree
PARTITION BY (_day, _generation)
ORDER BY (_generation, _day, _pane, page, country)
SETTINGS allow_nullable_key = 1
