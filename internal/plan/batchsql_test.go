package plan_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// golden compares a text with testdata/name; MILLRACE_UPDATE_GOLDEN=1 writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("MILLRACE_UPDATE_GOLDEN") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s:\n got:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestBatchSQL(t *testing.T) {
	s := stream(t, clicks)
	v := view(t, s, `CREATE VIEW page_hits AS
		SELECT lower(page) AS page, country, count() AS hits, uniq(user_id) AS users, sumIf(price, latency_ms < 100) AS fast, quantile(0.95)(latency_ms) AS p95
		FROM clicks WHERE ok AND price > 0 GROUP BY page, country, tumble(ts, INTERVAL 1 MINUTE)`)
	golden(t, "page_hits_table.sql", v.CreateTableSQL("page_hits.1"))
	golden(t, "page_hits_all.sql", v.RecomputeSQL("page_hits.1", 7, "file('lake/*.parquet')", nil))
	golden(t, "page_hits_days.sql", v.RecomputeSQL("page_hits.1", 7, "file('lake/*.parquet')", []int32{19845, -1, 19844}))

	total := view(t, s, "CREATE VIEW total AS SELECT sum(price) AS revenue FROM clicks")
	golden(t, "total_table.sql", total.CreateTableSQL("total"))
	golden(t, "total_none.sql", total.RecomputeSQL("total", 1, "events", []int32{}))

	dated := stream(t, "CREATE STREAM dated (d Date, n Nullable(Int64)) WITH (event_time = 'd')")
	daily := view(t, dated, "CREATE VIEW daily AS SELECT d, n, count() FROM dated GROUP BY d, n, tumble(d, INTERVAL 1 DAY)")
	golden(t, "daily_days.sql", daily.RecomputeSQL("daily", 2, "events", []int32{0, 65535}))
}

// The SQL of the batch back end runs on the engine, and puts every row into the pane and
// day of its event time, before 1970 too, at every precision.
func TestBatchSQLEngine(t *testing.T) {
	for _, typ := range []string{"DateTime64(0)", "DateTime64(1)", "DateTime64(3)", "DateTime64(6)", "DateTime64(9)", "Date"} {
		t.Run(typ, func(t *testing.T) { checkPanes(t, typ) })
	}
}

func checkPanes(t *testing.T, typ string) {
	client, ctx := enginetest.Client(t), t.Context()
	name := "panes_" + strings.NewReplacer("(", "_", ")", "").Replace(typ)
	s := stream(t, fmt.Sprintf("CREATE STREAM %s (ts %s, `a key` Nullable(String), n Int64, f Float64, ok Bool) WITH (event_time = 'ts')", name, typ))
	v := view(t, s, fmt.Sprintf("CREATE VIEW v AS SELECT `a key` AS k, count(), sum(n) AS total, uniq(n) AS u, min(`a key`), max(ts), avgIf(f, ok), quantile(0.5)(f) FROM %s WHERE n != 3 GROUP BY k, tumble(ts, INTERVAL 15 MINUTE)", name))

	batch := randomEvents(s.Schema, 500)
	source := name + "_events"
	var columns []string
	for _, c := range s.Schema.Columns {
		columns = append(columns, sql.QuoteName(c.Name)+" "+c.Type.String())
	}
	exec := func(query string) {
		t.Helper()
		if err := client.Exec(ctx, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec(fmt.Sprintf("CREATE TABLE %s (%s) ENGINE = MergeTree ORDER BY ()", source, strings.Join(columns, ", ")))
	if err := client.Insert(ctx, source, batch); err != nil {
		t.Fatal(err)
	}
	exec(v.CreateTableSQL(name))
	exec(v.RecomputeSQL(name, 1, source, nil))

	// Every day of generation 1 recomputed on its own into generation 2 is the same again.
	want := panesOf(v, batch)
	days := make(map[int32]bool)
	for p := range want {
		days[int32(event.FloorDiv(p.seconds, 86400))] = true
	}
	var list []int32
	for d := range days {
		list = append(list, d)
	}
	half := len(list) / 2
	exec(v.RecomputeSQL(name, 2, source, list[:half]))
	exec(v.RecomputeSQL(name, 2, source, list[half:]))
	exec(v.RecomputeSQL(name, 3, source, []int32{}))

	for generation := range 4 {
		got, err := client.QueryBatch(ctx, fmt.Sprintf("SELECT toInt64(_day), reinterpretAsInt64(_pane), ifNull(k, 'NULL'), countMerge(_rows), sumMerge(%s) FROM %s WHERE _generation = %d GROUP BY _day, _pane, k",
			stateOf(v, "sum"), name, generation))
		if err != nil {
			t.Fatal(err)
		}
		if generation == 0 || generation == 3 {
			if got.Rows != 0 {
				t.Errorf("generation %d has %d groups", generation, got.Rows)
			}
			continue
		}
		if got.Rows != len(want) {
			t.Errorf("generation %d has %d groups, want %d", generation, got.Rows, len(want))
		}
		for row := range got.Rows {
			p := pane{got.Columns[1].I64[row], string(got.Columns[2].Str.At(row))}
			if d := got.Columns[0].I64[row]; d != event.FloorDiv(p.seconds, 86400) {
				t.Errorf("pane %d is in day %d", p.seconds, d)
			}
			if w := want[p]; got.Columns[3].U64[row] != w.rows || got.Columns[4].I64[row] != w.sum {
				t.Errorf("generation %d, %+v: %d rows with sum %d, want %+v", generation, p, got.Columns[3].U64[row], got.Columns[4].I64[row], w)
			}
		}
	}
}

func stateOf(v *plan.View, function string) string {
	for _, a := range v.Aggregates {
		if a.Func.Name == function {
			return a.Name
		}
	}
	return ""
}

type pane struct {
	seconds int64
	key     string
}

type sums struct {
	rows uint64
	sum  int64
}

// panesOf aggregates a batch as the view of checkPanes does, row by row.
func panesOf(v *plan.View, b *event.Batch) map[pane]sums {
	t := b.Schema.Columns[0].Type
	panes := make(map[pane]sums)
	for row := range b.Rows {
		n := b.Columns[2].I64[row]
		if n == 3 {
			continue
		}
		seconds := b.Columns[0].I64[row] * 86400
		if t.Kind == event.DateTime64 {
			seconds = event.FloorDiv(b.Columns[0].I64[row], event.Pow10[t.Precision])
		}
		p := pane{event.FloorDiv(seconds, v.Pane) * v.Pane, "NULL"}
		if !b.Columns[1].Null(row) {
			p.key = string(b.Columns[1].Str.At(row))
		}
		s := panes[p]
		panes[p] = sums{s.rows + 1, s.sum + n}
	}
	return panes
}

// randomEvents makes rows on the 20 days around the start of 1970, or for a Date on the
// ten after it.
func randomEvents(schema *event.Schema, rows int) *event.Batch {
	random := rand.New(rand.NewPCG(3, 4))
	b := &event.Batch{Schema: schema, Rows: rows, Columns: make([]event.Vector, len(schema.Columns))}
	for i, c := range schema.Columns {
		b.Columns[i].Type = c.Type
	}
	const days = 10
	for range rows {
		if t := schema.Columns[0].Type; t.Kind == event.Date {
			b.Columns[0].AppendInt64(random.Int64N(days))
		} else {
			span := int64(2*days*86400) * event.Pow10[t.Precision]
			b.Columns[0].AppendInt64(random.Int64N(span) - span/2)
		}
		if random.IntN(4) == 0 {
			b.Columns[1].AppendZero(true)
		} else {
			b.Columns[1].AppendString([]byte{'a' + byte(random.IntN(3))})
		}
		b.Columns[2].AppendInt64(random.Int64N(10) - 5)
		b.Columns[3].AppendFloat64(random.Float64())
		b.Columns[4].AppendBool(random.IntN(2) == 0)
		b.Columns[5].AppendZero(false)
	}
	return b
}
