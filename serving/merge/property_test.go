package merge

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

var viewsSQL = []string{
	"CREATE VIEW v AS SELECT page, country, count() AS hits, sum(n) AS total, sum(price) AS revenue, avg(price) AS mean FROM s GROUP BY page, country, tumble(ts, INTERVAL 1 MINUTE)",
	"CREATE VIEW v AS SELECT country, uniq(page) AS pages, min(price) AS least, max(page) AS last, countIf(ok) AS good FROM s WHERE n != 3 GROUP BY country, tumble(ts, INTERVAL 6 HOUR)",
	"CREATE VIEW v AS SELECT lower(page) AS p, ok, count() AS hits, sum(n) / count() AS mean FROM s GROUP BY p, ok, tumble(ts, INTERVAL 1 WEEK)",
	"CREATE VIEW v AS SELECT country, sumIf(n, ok) AS total, count(page) AS named FROM s GROUP BY country, tumble(ts, INTERVAL 1 MONTH)",
	"CREATE VIEW v AS SELECT page, count() AS hits, max(n) AS most FROM s GROUP BY page",
	"CREATE VIEW v AS SELECT count() AS hits, sum(n) AS total FROM s WHERE ok",
	"CREATE VIEW v AS SELECT count() AS hits, avg(n) AS mean FROM s GROUP BY tumble(ts, INTERVAL 3 DAY)",
}

// instants lie around the places where panes, days, weeks, months and signs meet.
var instants = []int64{-2_208_988_800, -86_400*45 - 1, -86_401, -60, -1, 0, 59, 60, 86_399, 86_400, 4 * 86_400, 951_782_399, 1_700_000_000, 1_700_000_059, 1_702_000_000}

func drawRows(t *rapid.T, schema *event.Schema) *event.Batch {
	b := event.NewBatch(schema)
	for range rapid.IntRange(0, 12).Draw(t, "rows") {
		seconds := rapid.SampledFrom(instants).Draw(t, "second") + rapid.Int64Range(0, 90).Draw(t, "later")
		b.Columns[0].AppendInt64(seconds*1000 + rapid.Int64Range(0, 999).Draw(t, "ms"))
		if page := rapid.SampledFrom([]string{"", "a", "B", "ü", "null"}).Draw(t, "page"); page == "null" {
			b.Columns[1].AppendZero(true)
		} else {
			b.Columns[1].AppendString([]byte(page))
		}
		b.Columns[2].AppendString([]byte(rapid.SampledFrom([]string{"", "DE", "IT"}).Draw(t, "country")))
		b.Columns[3].AppendInt64(rapid.Int64Range(-5, 5).Draw(t, "n"))
		b.Columns[4].AppendFloat64(rapid.SampledFrom([]float64{-1.5, 0, 0.1, 1e9}).Draw(t, "price"))
		b.Columns[5].AppendBool(rapid.Bool().Draw(t, "ok"))
		b.Columns[6].AppendString(nil)
		b.Rows++
	}
	return b
}

func drawQuery(t *rapid.T, v *plan.View) Query {
	q := all()
	if rapid.Bool().Draw(t, "from?") {
		q.From = rapid.SampledFrom(instants).Draw(t, "from")
	}
	if rapid.Bool().Draw(t, "to?") {
		q.To = max(q.From, rapid.SampledFrom(instants).Draw(t, "to")+30)
	}
	q.Bucketing = rapid.SampledFrom([]Bucketing{WholeRange, ByWindow, ByStep}).Draw(t, "bucketing")
	if q.Bucketing == ByStep {
		steps := []plan.Window{
			{N: 1, Unit: plan.Day}, {N: 5, Unit: plan.Day}, {N: 1, Unit: plan.Week}, {N: 2, Unit: plan.Week},
			{N: 1, Unit: plan.Month}, {N: 5, Unit: plan.Month}, {N: 1, Unit: plan.Quarter}, {N: 3, Unit: plan.Year},
		}
		// 36 hours are neither days nor in one.
		for _, seconds := range []int64{7 * 60, 3600, 6 * 3600, 36 * 3600} {
			if seconds%v.Pane == 0 {
				steps = append(steps, plan.Window{N: seconds, Unit: plan.Second}, plan.Window{N: seconds / 60, Unit: plan.Minute})
			}
		}
		q.Step = rapid.SampledFrom(steps).Draw(t, "step")
	}
	if rapid.Bool().Draw(t, "by?") {
		q.By = []string{}
		for _, k := range v.Keys {
			if rapid.Bool().Draw(t, "by "+k.Name) {
				q.By = append(q.By, k.Name)
			}
		}
	}
	if rapid.Bool().Draw(t, "where?") {
		conditions := map[string][]string{
			"page":    {"page = 'a'", "page IS NULL", "page != 'a' OR page IS NULL", "page IN ('a', 'B')"},
			"country": {"country = 'DE'", "country > 'D' AND country != 'IT'"},
			"p":       {"p LIKE '%b%'"},
			"ok":      {"NOT ok", "ok"},
		}
		var usable []string
		for _, k := range v.Keys {
			usable = append(usable, conditions[k.Name]...)
		}
		if len(usable) > 0 {
			q.Where = where(t, v, rapid.SampledFrom(usable).Draw(t, "where"))
		}
	}
	return q
}

func where(tb fataler, v *plan.View, text string) plan.Expr {
	tb.Helper()
	tree, err := sql.ParseExpr(text)
	if err != nil {
		tb.Fatal(err)
	}
	schema, err := KeySchema(v)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := plan.BindExpr(tree, schema)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// TestMergedIsRecomputed is invariant 4 of the design, for the serving layer: whatever the
// events, the cut and the query, batch merged with speed is what one aggregation over all
// events gives.
func TestMergedIsRecomputed(t *testing.T) {
	p := newParts(t)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(p, t, rapid.SampledFrom(viewsSQL).Draw(t, "view"))
		defer w.drop()
		const epochs = 5
		last := firstEpoch + epochs - 1
		for e := firstEpoch; e <= last; e++ {
			for partition := range partitions {
				w.append(partition, e, drawRows(t, w.view.Plan.Stream.Schema))
			}
		}
		// The speed layer holds more epochs than it needs: those under the newest cut are
		// deleted only after a grace period.
		base := firstEpoch - 1 + event.Epoch(rapid.IntRange(0, epochs).Draw(t, "base"))
		cut := event.Epoch(rapid.Int64Range(int64(base), int64(last)).Draw(t, "cut"))
		w.publish(base)
		if cut > base {
			w.publish(cut)
		}
		for partition := range partitions {
			w.flush(partition, w.begin(partition, base), last)
		}
		for range 4 {
			q := drawQuery(t, w.view.Plan)
			q.View = w.view
			r := w.run(q)
			w.same(r.Batch, w.direct(q), false)
			if !r.Provenance.Complete || *r.Provenance.Cut != cut || r.Provenance.Rejected != 7 {
				t.Fatalf("provenance is %+v, want a complete answer at cut %d", r.Provenance, cut)
			}
			for _, part := range r.Provenance.Partitions {
				if part.Position != epochs || part.Head != epochs || part.LagMillis != 0 {
					t.Fatalf("partition is %+v, want it at entry %d", part, epochs)
				}
			}
		}
	})
}
