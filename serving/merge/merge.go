// Package merge answers queries on views: it adds the published generation of the batch
// layer to the speed layer's epochs after its cut.
//
// The one invariant: an answer is exactly the view over the events at or before the
// positions in its provenance, each counted once: epochs at or under the cut from the
// batch layer, the rest from the speed layer.
package merge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/speed/redisview"
)

// Publications says which generation of a view is published.
type Publications interface {
	Current(ctx context.Context, view string) (*publication.Manifest, error)
}

// Speed reads the speed layer's partials.
type Speed interface {
	Snapshot(ctx context.Context, view string, partition int, cut event.Epoch, held func(event.Epoch) bool) (redisview.Snapshot, error)
}

// Batch reads the batch layer's tables.
type Batch interface {
	QueryBatch(ctx context.Context, query string) (*event.Batch, error)
}

// Log tells how far a stream has come.
type Log interface {
	// Head returns the sequence of the newest acknowledged entry of a partition.
	Head(ctx context.Context, stream string, partition int) (uint64, error)
	// Rejected returns how many rows of the stream went to dead letters.
	Rejected(stream string) int64
}

// Merger answers queries. It is safe for concurrent use.
type Merger struct {
	publications Publications
	speed        Speed
	batch        Batch
	log          Log
	table        func(viewID string) string
	logger       *slog.Logger
	epochLength  time.Duration
	sealed       *sealedCache
	generations  *generationCache
	progress     *Progress
}

// Options are the parts that a Merger reads.
type Options struct {
	Publications Publications
	Speed        Speed
	Batch        Batch
	Log          Log
	Table        func(viewID string) string // name of the view's batch table, quoted
	EpochLength  time.Duration
	Logger       *slog.Logger
}

// New returns a Merger.
func New(o Options) *Merger {
	return &Merger{
		publications: o.Publications, speed: o.Speed, batch: o.Batch, log: o.Log,
		logger: o.Logger,
		table:  o.Table, epochLength: o.EpochLength,
		sealed: newSealedCache(sealedCacheBytes), generations: newGenerationCache(generationCacheBytes),
		progress: NewProgress(),
	}
}

// Bucketing says how a query treats time.
type Bucketing uint8

// The ways to bucket time.
const (
	WholeRange Bucketing = iota // one bucket: no time column
	ByWindow                    // the view's own windows, in column window_start
	ByStep                      // buckets of Query.Step, in a leading column "time"
)

// TimeColumn leads the answer to a query by step.
const TimeColumn = "time"

// Query is one question to a view.
type Query struct {
	View *catalog.View
	// From and To bound the panes, in seconds since 1970, To exclusive; both are cut to
	// panes outwards. Unbounded for all time.
	From, To  int64
	Bucketing Bucketing
	Step      plan.Window
	By        []string  // outputs that are keys to keep; nil keeps all
	Where     plan.Expr // Bool over KeySchema of the view; nil: all groups
	Order     []Order   // by output; empty: by time where there is one
	Limit     int64     // most rows; 0: no limit but MaxRows
	MaxRows   int64     // most rows an answer may have before it is refused; 0: none
	// Wait is how long to wait until every event that was acknowledged before the query
	// is in the answer.
	Wait time.Duration
}

// The bounds of all time: those of DateTime64, 1900 to 2299, with room.
const (
	MinTime = -2_208_988_800
	MaxTime = 10_413_792_000
)

// Order is one key of an answer's order.
type Order struct {
	Column string
	Desc   bool
}

// Partition is how far an answer reaches in one partition.
type Partition struct {
	Partition int       `json:"partition"`
	Position  uint64    `json:"position"` // last entry that is in the answer
	Head      uint64    `json:"head"`     // last entry acknowledged when the query came
	Arrival   time.Time `json:"arrival"`  // arrival time of Position
	LagMillis int64     `json:"lag_ms"`   // age of Arrival where Position is behind Head, else 0
}

// Provenance says what an answer is made of.
type Provenance struct {
	View       string       `json:"view"`
	Generation uint64       `json:"generation"`
	Cut        *event.Epoch `json:"cut"`      // null where the batch layer covers nothing yet
	CutTime    *time.Time   `json:"cut_time"` // end of the cut's epoch
	Partitions []Partition  `json:"partitions"`
	LagMillis  int64        `json:"lag_ms"`   // the largest of the partitions
	Complete   bool         `json:"complete"` // every event acknowledged before the query is in it
	Rejected   int64        `json:"rejected"` // rows in dead letters
	From       *time.Time   `json:"from,omitempty"`
	To         *time.Time   `json:"to,omitempty"` // exclusive
}

// Result is an answer.
type Result struct {
	Batch      *event.Batch
	Provenance Provenance
}

// Run answers a query.
func (m *Merger) Run(ctx context.Context, q Query) (*Result, error) {
	merged, err := m.merge(ctx, &q)
	if err != nil {
		return nil, err
	}
	batch, err := merged.shape.finish(merged.table)
	if err != nil {
		return nil, err
	}
	return &Result{Batch: batch, Provenance: m.provenance(&q, merged.reading, merged.heads)}, nil
}

// merged is what a query has read, added up.
type merged struct {
	shape   *shape
	table   *agg.Table
	reading *reading
	heads   []uint64
}

// merge reads both layers for a query and adds them up.
func (m *Merger) merge(ctx context.Context, q *Query) (*merged, error) {
	q.cutToPanes(time.Now())
	shape, err := newShape(q)
	if err != nil {
		return nil, err
	}
	heads, err := Heads(ctx, m.log, q.View)
	if err != nil {
		return nil, err
	}
	reading, err := m.read(ctx, q.View, heads, q.Wait)
	if err != nil {
		return nil, err
	}
	table := agg.NewTable(shape.keyTypes, shape.functions)
	if err := m.addBatch(ctx, table, shape, reading.manifest); err != nil {
		var refused *clickhouse.Error
		if ctx.Err() != nil || errors.As(err, &refused) {
			return nil, err
		}
		m.logger.Warn("read batch layer", "view", q.View.Plan.Name, "error", err)
		return nil, problem.Busy("the batch layer does not answer at the moment", time.Second)
	}
	if err := shape.addSpeed(table, reading.snapshots); err != nil {
		return nil, fmt.Errorf("merge speed partials of %s: %w", q.View.Plan.Name, err)
	}
	return &merged{shape, table, reading, heads}, nil
}

// cutToPanes widens the range to whole panes. What is older than the view's ttl is not
// part of it, whether the batch layer has dropped it yet or not: the days that a batch
// run keeps are whole, and so is the first one here.
func (q *Query) cutToPanes(now time.Time) {
	pane := q.View.Plan.Pane
	if ttl := q.View.Plan.TTL; ttl > 0 {
		q.From = max(q.From, event.FloorDiv(now.Add(-ttl).Unix(), secondsPerDay)*secondsPerDay)
	}
	q.From = event.FloorDiv(max(q.From, MinTime), pane) * pane
	q.To = -event.FloorDiv(-min(q.To, MaxTime), pane) * pane
}

// tooMany refuses an answer beyond the limit of rows.
func tooMany(rows int, limit int64) error {
	return problem.New(http.StatusUnprocessableEntity, "too-many-rows",
		fmt.Sprintf("the answer has %d rows, more than the limit of %d (query.max_rows)", rows, limit),
		"narrow it by from, to, where or by, or give a limit")
}
