package merge

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/speed/embedded"
	"github.com/millrace/millrace/speed/redisview"
)

func TestMain(m *testing.M) {
	// A check makes tables in the engine, so the default is fewer than rapid's 100; the
	// flag of the same name still says more.
	_ = flag.Set("rapid.checks", "20")
	goleak.VerifyTestMain(enginetest.Wrap(m))
}

const (
	partitions = 2
	// firstEpoch is the epoch of entry 1 in every partition; entry n is epoch n's.
	firstEpoch  = event.Epoch(1000)
	epochLength = time.Second
)

const streamSQL = `CREATE STREAM s (ts DateTime64(3), page Nullable(String), country LowCardinality(String), n Int64, price Float64, ok Bool)
	WITH (event_time = 'ts', partitions = 2)`

// parts are the real things that a Merger reads, shared by the worlds of a test.
type parts struct {
	tb           testing.TB
	redis        *redisview.Store
	publications *publication.Authority
}

func newParts(tb testing.TB) *parts {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Log("no redis-server on the PATH: this runs on miniredis")
	}
	server, err := embedded.Start(tb.Context(), embedded.Options{Dir: tb.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Stop)
	redis, err := redisview.Open(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = redis.Close() })
	store, err := local.Open(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return &parts{tb: tb, redis: redis, publications: publication.Open(store)}
}

// entry is the events of one epoch in one partition.
type entry struct {
	partition int
	epoch     event.Epoch
	rows      *event.Batch
}

func (e entry) seq() uint64 { return uint64(e.epoch-firstEpoch) + 1 }

func arrival(e event.Epoch) int64 { return e.Start(epochLength).UnixNano() + 1 }

// world is one view over a log of entries, with a batch and a speed layer.
type world struct {
	*parts
	tb     fataler
	view   *catalog.View
	merger *Merger
	log    []entry
	heads  [partitions]uint64
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// worlds numbers view ids: tables in the shared engine have names of their own.
var worlds atomic.Int64

func newWorld(p *parts, tb fataler, viewSQL string) *world {
	tb.Helper()
	stream, err := plan.BuildStream(parse[*sql.CreateStream](tb, streamSQL))
	if err != nil {
		tb.Fatal(err)
	}
	v, err := plan.BuildView(parse[*sql.CreateView](tb, viewSQL), stream)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{parts: p, tb: tb, view: &catalog.View{ID: fmt.Sprintf("v.%d", worlds.Add(1)), StreamID: "s.1", Plan: v}}
	w.merger = New(Options{
		Publications: p.publications, Speed: p.redis, Batch: enginetest.Client(p.tb), Log: w,
		Table:       func(id string) string { return sql.QuoteName(tableName(id)) },
		EpochLength: epochLength, Logger: slog.New(slog.DiscardHandler),
	})
	return w
}

func tableName(id string) string { return "merge_test_" + id }

func parse[S sql.Statement](tb fataler, text string) S {
	tb.Helper()
	statements, err := sql.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return statements[0].(S)
}

// Head implements Log.
func (w *world) Head(_ context.Context, _ string, partition int) (uint64, error) {
	return atomic.LoadUint64(&w.heads[partition]), nil
}

// Rejected implements Log.
func (w *world) Rejected(string) int64 { return 7 }

// append adds an entry to the log.
func (w *world) append(partition int, epoch event.Epoch, rows *event.Batch) {
	e := entry{partition, epoch, rows}
	w.log = append(w.log, e)
	atomic.StoreUint64(&w.heads[partition], max(w.heads[partition], e.seq()))
}

func (w *world) exec(query string) {
	w.tb.Helper()
	if err := enginetest.Client(w.parts.tb).Exec(context.Background(), query); err != nil {
		w.tb.Fatal(err)
	}
}

// publish recomputes, as the next generation, the days that entries after the published
// cut have touched, and publishes it at the cut.
func (w *world) publish(cut event.Epoch) {
	w.tb.Helper()
	ctx := context.Background()
	old, err := w.publications.Current(ctx, w.view.ID)
	if err != nil {
		w.tb.Fatal(err)
	}
	m := &publication.Manifest{View: w.view.ID, Generation: 1, Cut: cut, Days: map[int32]publication.Day{}, Created: time.Now()}
	before := event.NoEpoch
	if old != nil {
		m.Generation, before = old.Generation+1, old.Cut
		for day, d := range old.Days {
			m.Days[day] = d
		}
	}
	events := event.NewBatch(w.view.Plan.Stream.Schema)
	var days []int32
	for _, e := range w.log {
		if !e.epoch.CoveredBy(cut) {
			continue
		}
		events.AppendRange(e.rows, 0, e.rows.Rows)
		for _, ts := range e.rows.Columns[0].I64 {
			if day := int32(event.FloorDiv(ts, secondsPerDay*1000)); !e.epoch.CoveredBy(before) && !slices.Contains(days, day) {
				days = append(days, day)
			}
		}
	}
	for range partitions {
		seq := uint64(0)
		if cut >= firstEpoch {
			seq = uint64(cut-firstEpoch) + 1
		}
		m.Positions = append(m.Positions, publication.CutPosition{Seq: seq, Arrival: arrival(cut)})
	}
	w.exec(w.view.Plan.CreateTableSQL(tableName(w.view.ID)))
	if len(days) > 0 {
		source := tableName(w.view.ID) + "_events"
		columns := make([]string, len(events.Schema.Columns))
		for i, c := range events.Schema.Columns {
			columns[i] = sql.QuoteName(c.Name) + " " + c.Type.String()
		}
		w.exec("CREATE TABLE `" + source + "` (" + strings.Join(columns, ", ") + ") ENGINE = Memory")
		if err := enginetest.Client(w.parts.tb).Insert(ctx, "`"+source+"`", events); err != nil {
			w.tb.Fatal(err)
		}
		w.exec(w.view.Plan.RecomputeSQL(tableName(w.view.ID), m.Generation, "`"+source+"`", days))
		w.exec("DROP TABLE `" + source + "`")
	}
	for _, day := range days {
		m.Days[day] = publication.Day{Generation: m.Generation}
	}
	if err := w.publications.Publish(ctx, m); err != nil {
		w.tb.Fatal(err)
	}
}

// begin starts a partition's speed state anew at a cut.
func (w *world) begin(partition int, cut event.Epoch) redisview.Checkpoint {
	w.tb.Helper()
	at := redisview.Checkpoint{Fence: 1, Epoch: cut}
	if cut >= firstEpoch {
		at.Seq, at.Arrival = uint64(cut-firstEpoch)+1, arrival(cut)
	}
	if err := w.redis.Begin(context.Background(), w.view.ID, partition, at); err != nil {
		w.tb.Fatal(err)
	}
	return at
}

// flush brings a partition's speed state from a checkpoint through an epoch.
func (w *world) flush(partition int, at redisview.Checkpoint, through event.Epoch) redisview.Checkpoint {
	w.tb.Helper()
	for e := max(at.Epoch+1, firstEpoch); e <= through; e++ {
		table := w.view.Plan.NewTable()
		pipeline := w.view.Plan.NewPipeline()
		for _, entry := range w.log {
			if entry.partition == partition && entry.epoch == e {
				if err := pipeline.Apply(entry.rows, nil, table); err != nil {
					w.tb.Fatal(err)
				}
			}
		}
		var changed []redisview.Partial
		for g := range uint32(table.Len()) {
			changed = append(changed, redisview.Partial{Key: table.AppendKey(nil, g), States: table.AppendPartial(nil, g)})
		}
		next := redisview.Checkpoint{Fence: 1, Seq: uint64(e-firstEpoch) + 1, Arrival: arrival(e), Epoch: e}
		if err := w.redis.Flush(context.Background(), w.view.ID, partition, at, next, changed); err != nil {
			w.tb.Fatal(err)
		}
		at = next
	}
	return at
}

// drop removes what the world left in the shared parts.
func (w *world) drop() {
	w.tb.Helper()
	w.exec("DROP TABLE IF EXISTS `" + tableName(w.view.ID) + "`")
	if err := w.redis.Drop(context.Background(), w.view.ID, partitions); err != nil {
		w.tb.Fatal(err)
	}
}

// direct answers a query by aggregating the events themselves, once each.
func (w *world) direct(q Query) *event.Batch {
	w.tb.Helper()
	q.cutToPanes(time.Now())
	s, err := newShape(&q)
	if err != nil {
		w.tb.Fatal(err)
	}
	table := agg.NewTable(s.keyTypes, s.functions)
	for _, e := range w.log {
		w.aggregate(s, table, e.rows)
	}
	b, err := s.finish(table)
	if err != nil {
		w.tb.Fatal(err)
	}
	return b
}

// aggregate adds rows to a table by (bucket, kept keys).
func (w *world) aggregate(s *shape, table *agg.Table, rows *event.Batch) {
	w.tb.Helper()
	eval := func(e plan.Expr, columns []event.Vector, n int) *event.Vector {
		v, err := plan.Compile(e).Eval(columns, n)
		if err != nil {
			w.tb.Fatal(err)
		}
		return v
	}
	keys := make([]event.Vector, len(s.view.Keys))
	for i, k := range s.view.Keys {
		keys[i] = *eval(k.Expr, rows.Columns, rows.Rows)
	}
	chosen := event.NewBatch(rows.Schema)
	buckets := event.Vector{Type: s.keyTypes[0]}
	var picked []uint32
	for i, ts := range rows.Columns[0].I64 {
		pane := event.FloorDiv(ts, 1000*s.view.Pane) * s.view.Pane
		holds := pane >= s.query.From && pane < s.query.To
		if f := s.view.Filter; f != nil && holds {
			v := eval(f, rows.Columns, rows.Rows)
			holds = v.U8[i] != 0 && !v.Null(i)
		}
		if s.query.Where != nil && holds {
			v := eval(s.query.Where, keys, rows.Rows)
			holds = v.U8[i] != 0 && !v.Null(i)
		}
		if holds {
			picked = append(picked, uint32(i))
			buckets.AppendInt64(s.bucket(pane))
		}
	}
	chosen.AppendRows(rows, picked)
	if chosen.Rows == 0 {
		return
	}
	columns := []*event.Vector{&buckets}
	for i, k := range s.keep {
		v := event.Vector{Type: s.keyTypes[1+i]}
		v.AppendRows(&keys[k], picked)
		columns = append(columns, &v)
	}
	groups := table.Groups(columns, chosen.Rows, nil)
	for i, a := range s.view.Aggregates {
		args := make([]*event.Vector, len(a.Args))
		for j, e := range a.Args {
			args[j] = eval(e, chosen.Columns, chosen.Rows)
		}
		table.States[i].Update(groups, args)
	}
}

// run answers a query as users get it.
func (w *world) run(q Query) *Result {
	w.tb.Helper()
	q.View = w.view
	r, err := w.merger.Run(context.Background(), q)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// rowsOf writes rows as text; floating sums to 9 digits, since they depend on the order.
func rowsOf(b *event.Batch) []string {
	rows := make([]string, b.Rows)
	for i := range rows {
		var cells []string
		for j := range b.Columns {
			v := b.Columns[j].Value(i)
			if f, ok := v.(float64); ok && !math.IsNaN(f) {
				v = fmt.Sprintf("%.9g", f+0) // -0 and 0 are one
			}
			cells = append(cells, fmt.Sprint(v))
		}
		rows[i] = strings.Join(cells, "|")
	}
	return rows
}

// same fails unless two answers have the same columns and rows.
func (w *world) same(got, want *event.Batch, ordered bool) {
	w.tb.Helper()
	if !slices.Equal(got.Schema.Columns, want.Schema.Columns) {
		w.tb.Fatalf("columns are %v, want %v", got.Schema.Columns, want.Schema.Columns)
	}
	g, e := rowsOf(got), rowsOf(want)
	if !ordered {
		slices.Sort(g)
		slices.Sort(e)
	}
	if !slices.Equal(g, e) {
		w.tb.Fatalf("merged answer has %d rows:\n%s\nwant %d:\n%s", len(g), strings.Join(g, "\n"), len(e), strings.Join(e, "\n"))
	}
}

// all is the query for everything, by the view's windows.
func all() Query { return Query{From: MinTime, To: MaxTime, Bucketing: ByWindow} }

// movingPublications changes what is published in the middle of a reading.
type movingPublications struct {
	Publications
	once sync.Once
	move func()
}

func (p *movingPublications) Current(ctx context.Context, view string) (*publication.Manifest, error) {
	m, err := p.Publications.Current(ctx, view)
	p.once.Do(p.move)
	return m, err
}
