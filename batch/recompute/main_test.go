package recompute

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/lake/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(enginetest.Wrap(m)) }

const (
	testPartitions = 2
	testEpoch      = time.Minute
	firstEpoch     = event.Epoch(28_000_000)
)

const testStream = `CREATE STREAM clicks (ts DateTime64(3), page Nullable(String), n Int64)
	WITH (event_time = 'ts', partitions = 2)`

const testView = "CREATE VIEW hits AS SELECT page, count() AS hits, sum(n) AS total FROM clicks WHERE n != 13 GROUP BY page, tumble(ts, INTERVAL 1 HOUR)"

// lake is sealed files of random rows, the engine over them, and what each group must be.
type lake struct {
	tb     testing.TB
	view   *catalog.View
	store  objstore.Store
	index  *seal.Index
	runner *Runner
	engine *faulty
	speed  speed
	rng    *rand.Rand
	epoch  event.Epoch // of the next entry
	seq    uint64
	days   []int64            // event days that rows fall into
	groups map[string][]int64 // "day/pane/page" to hits and total
}

// speed is the other side of the drift report.
type speed struct {
	events     int64
	comparable bool
}

func (s *speed) CountEvents(context.Context, string, *plan.View, event.Epoch, event.Epoch) (int64, bool, error) {
	return s.events, s.comparable, nil
}

// faulty is the engine, failing at the failAt-th statement.
type faulty struct {
	Engine
	statements, failAt int
}

var errFault = fmt.Errorf("engine killed by the test")

func (f *faulty) fails() bool {
	f.statements++
	return f.statements == f.failAt
}

func (f *faulty) Exec(ctx context.Context, query string) error {
	if f.fails() {
		return errFault
	}
	return f.Engine.Exec(ctx, query)
}

func (f *faulty) QueryBatch(ctx context.Context, query string) (*event.Batch, error) {
	if f.fails() {
		return nil, errFault
	}
	return f.Engine.QueryBatch(ctx, query)
}

func statement[S sql.Statement](tb testing.TB, text string) S {
	tb.Helper()
	parsed, err := sql.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed[0].(S)
}

// newLake returns an empty lake whose view has a table of its own in the shared engine.
func newLake(tb testing.TB, ttl, grace time.Duration) *lake {
	tb.Helper()
	client := enginetest.Client(tb)
	s, err := plan.BuildStream(statement[*sql.CreateStream](tb, testStream))
	if err != nil {
		tb.Fatal(err)
	}
	v, err := plan.BuildView(statement[*sql.CreateView](tb, testView), s)
	if err != nil {
		tb.Fatal(err)
	}
	v.TTL = ttl
	l := &lake{
		tb: tb, epoch: firstEpoch, rng: rand.New(rand.NewPCG(1, 2)), engine: &faulty{Engine: client},
		view:   &catalog.View{ID: fmt.Sprintf("hits `%s`.%d", strings.ReplaceAll(tb.Name(), "/", "_"), time.Now().UnixNano()), Plan: v},
		days:   []int64{-7, 0, 19_000, 19_001, 19_002},
		groups: map[string][]int64{},
	}
	dir := tb.TempDir()
	if l.store, err = local.Open(dir); err != nil {
		tb.Fatal(err)
	}
	if l.index, err = seal.Load(tb.Context(), l.store, "clicks.1", testPartitions); err != nil {
		tb.Fatal(err)
	}
	l.runner = New(Options{
		Engine: l.engine, Publications: publication.Open(l.store), Ledger: ledger.Open(l.store), Speed: &l.speed, Grace: grace,
		TableName: func(id string) string { return "mr_view_" + id },
		Files: func(files []seal.File, schema *event.Schema) string {
			var paths []string
			for _, f := range files {
				paths = append(paths, l.store.URL(f.Name))
			}
			return parquetfile.TableExpr(paths, schema)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	tb.Cleanup(func() {
		if err := client.Exec(context.Background(), "DROP TABLE IF EXISTS "+l.table()); err != nil {
			tb.Error(err)
		}
	})
	return l
}

func (l *lake) table() string { return sql.QuoteName("mr_view_" + l.view.ID) }

// seal adds one sealed epoch of rows to every partition; the rows fall into days.
func (l *lake) seal(rows int, days ...int64) {
	l.tb.Helper()
	for p := range testPartitions {
		l.sealPartition(p, rows, l.epoch, days)
	}
	l.epoch++
}

func (l *lake) sealPartition(partition, rows int, epoch event.Epoch, days []int64) {
	l.tb.Helper()
	l.seq++
	arrival := int64(epoch) * int64(testEpoch)
	s := seal.Seal{
		Stream: "clicks.1", Partition: partition, From: epoch, To: epoch, LastEpoch: epoch,
		LastSeq: l.seq, Arrival: arrival, Files: []seal.File{},
	}
	if rows > 0 {
		name := fmt.Sprintf("lake/clicks.1/%d-%d-0.parquet", epoch, partition)
		b := l.rows(rows, days)
		f := l.write(name, b, partition, arrival)
		s.Files, s.Rows = []seal.File{f}, f.Rows
		s.First, s.Last = event.Position{Seq: l.seq}, event.Position{Seq: l.seq, Row: uint32(rows - 1)}
	}
	if err := l.index.Add(l.tb.Context(), s); err != nil {
		l.tb.Fatal(err)
	}
}

func (l *lake) write(name string, b *event.Batch, partition int, arrival int64) seal.File {
	l.tb.Helper()
	out, err := l.store.Create(l.tb.Context(), name)
	if err != nil {
		l.tb.Fatal(err)
	}
	w, err := parquetfile.NewWriter(b.Schema, l.view.Plan.Stream.EventTime)
	if err != nil {
		l.tb.Fatal(err)
	}
	w.Start(out)
	if err := w.Append(b, nil, partition, l.seq, arrival); err != nil {
		l.tb.Fatal(err)
	}
	sum, err := w.Close()
	if err != nil {
		l.tb.Fatal(err)
	}
	if err := out.Commit(); err != nil {
		l.tb.Fatal(err)
	}
	return seal.File{Name: name, Rows: sum.Rows, SizeBytes: sum.SizeBytes, Checksum: sum.Checksum, Days: sum.Days}
}

// rows makes random rows and counts them into groups.
func (l *lake) rows(n int, days []int64) *event.Batch {
	b := event.NewBatch(l.view.Plan.Stream.Schema)
	for range n {
		day := days[l.rng.IntN(len(days))]
		ms := day*86_400_000 + l.rng.Int64N(86_400_000)
		page, value := l.rng.IntN(5), l.rng.Int64N(20)
		b.Columns[0].AppendInt64(ms)
		name := "null"
		if page == 0 {
			b.Columns[1].AppendZero(true)
		} else {
			name = fmt.Sprint("page", page)
			b.Columns[1].AppendString([]byte(name))
		}
		b.Columns[2].AppendInt64(value)
		b.Columns[3].AppendString(nil)
		if value != 13 {
			key := fmt.Sprintf("%d/%d/%s", day, event.FloorDiv(ms, 3_600_000)*3600, name)
			if l.groups[key] == nil {
				l.groups[key] = []int64{0, 0}
			}
			l.groups[key][0]++
			l.groups[key][1] += value
		}
	}
	b.Rows = n
	return b
}

// copyGroups returns what is sealed so far.
func (l *lake) copyGroups() map[string][]int64 {
	out := make(map[string][]int64, len(l.groups))
	for key, values := range l.groups {
		out[key] = slices.Clone(values)
	}
	return out
}

// run runs the view's job.
func (l *lake) run(whole bool) *publication.Manifest {
	l.tb.Helper()
	m, err := l.runner.Run(l.tb.Context(), l.view, l.index, whole)
	if err != nil {
		l.tb.Fatal(err)
	}
	return m
}

// check compares what a reader of the manifest finds with what was sealed. kept says
// which days the view keeps; nil means all.
func (l *lake) check(m *publication.Manifest, kept func(day int64) bool) {
	l.tb.Helper()
	b, err := l.engine.Engine.QueryBatch(l.tb.Context(), fmt.Sprintf(
		`SELECT toInt64(toInt32(_day)), _generation, toInt64(toDecimal64(_pane, 0)), ifNull(page, 'null'),
		toInt64(finalizeAggregation(_rows)), toInt64(finalizeAggregation(s0)) FROM %s`, l.table()))
	if err != nil {
		l.tb.Fatal(err)
	}
	got := map[string][]int64{}
	rows := map[int32]publication.Day{}
	for i := range b.Rows {
		day := b.Columns[0].I64[i]
		d, named := m.Days[int32(day)]
		if !named || d.Generation != b.Columns[1].U64[i] {
			continue
		}
		key := fmt.Sprintf("%d/%d/%s", day, b.Columns[2].I64[i], b.Columns[3].Str.At(i))
		if got[key] != nil {
			l.tb.Fatalf("group %s is there twice", key)
		}
		got[key] = []int64{b.Columns[4].I64[i], b.Columns[5].I64[i]}
		sum := rows[int32(day)]
		sum.Groups++
		sum.Events += b.Columns[4].I64[i]
		rows[int32(day)] = sum
	}
	want := maps.Clone(l.groups)
	maps.DeleteFunc(want, func(key string, _ []int64) bool {
		var day int64
		fmt.Sscan(strings.SplitN(key, "/", 2)[0], &day)
		return kept != nil && !kept(day)
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		l.tb.Fatalf("generation %d has %d groups, expected %d: %v\n%v", m.Generation, len(got), len(want), got, want)
	}
	for day, d := range m.Days {
		if d.Groups != rows[day].Groups || d.Events != rows[day].Events || d.Groups == 0 {
			l.tb.Errorf("day %d: the manifest says %+v, the table has %+v", day, d, rows[day])
		}
	}
	if m.Rows != int64(len(want)) {
		l.tb.Errorf("the manifest says %d rows of %d", m.Rows, len(want))
	}
}
