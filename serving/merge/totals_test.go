package merge

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

// TestPartials adds up what is published, read in several parts, to what a query answers.
func TestPartials(t *testing.T) {
	p := newParts(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(p, rt, "CREATE VIEW v AS SELECT country, count() AS hits, sum(n) AS total FROM s GROUP BY country")
		defer w.drop()
		for i := range rapid.IntRange(0, 4).Draw(rt, "entries") {
			w.append(i%partitions, firstEpoch, drawRows(rt, w.view.Plan.Stream.Schema))
		}
		w.publish(firstEpoch)
		for partition := range partitions {
			w.begin(partition, firstEpoch)
		}
		m, err := p.publications.Current(context.Background(), w.view.ID)
		if err != nil {
			rt.Fatal(err)
		}
		parts := rapid.IntRange(1, 4).Draw(rt, "parts")
		for _, whole := range []bool{true, false} {
			q := all()
			q.View = w.view
			if q.Bucketing = WholeRange; !whole {
				q.Bucketing, q.Step = ByStep, plan.Window{N: 1, Unit: plan.Day}
			}
			s, err := newShape(&q)
			if err != nil {
				rt.Fatal(err)
			}
			table := agg.NewTable(s.keyTypes, s.functions)
			seen := map[string]int{}
			for part := range parts {
				b, err := Partials(context.Background(), enginetest.Client(t), sql.QuoteName(tableName(w.view.ID)), w.view, m, whole, Part{part, parts})
				if err != nil {
					rt.Fatal(err)
				}
				for row := range b.Rows {
					key := string(b.Columns[1].Str.At(row))
					if other, ok := seen[key]; ok && other != part {
						rt.Fatalf("%q is in parts %d and %d", key, other, part)
					}
					seen[key] = part
				}
				if err := s.addPartials(table, b); err != nil {
					rt.Fatal(err)
				}
			}
			got, err := s.finish(table)
			if err != nil {
				rt.Fatal(err)
			}
			w.same(got, w.run(q).Batch, false)
			totals, err := w.merger.Totals(context.Background(), q)
			if err != nil {
				rt.Fatal(err)
			}
			if n := len(totals.Batch.Columns); totals.Batch.Rows != got.Rows || n != 1+1+len(w.view.Plan.Aggregates) {
				rt.Fatalf("%d totals of %d columns, not %d", totals.Batch.Rows, n, got.Rows)
			}
		}
	})
}
