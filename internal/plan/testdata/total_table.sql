CREATE TABLE IF NOT EXISTS total (
  _generation UInt64,
  _day Date32,
  _pane DateTime64(0, 'UTC'),
  s0 AggregateFunction(sum, Float64),
  _rows AggregateFunction(count)
)
ENGINE = AggregatingMergeTree
PARTITION BY (_day, _generation)
ORDER BY (_generation, _day, _pane)
