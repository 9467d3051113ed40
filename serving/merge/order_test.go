package merge

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
)

// TestOrderIsTheEngines compares Compare with ORDER BY of the engine.
func TestOrderIsTheEngines(t *testing.T) {
	for _, c := range []struct {
		name string
		v    event.Vector
	}{
		{"nullable floats", event.Vector{
			Type:  event.Type{Kind: event.Float64, Nullable: true},
			F64:   []float64{1, math.NaN(), 0, math.Inf(1), -2, math.Inf(-1)},
			Nulls: []uint8{0, 0, 1, 0, 0, 0},
		}},
		{"integers", event.Vector{Type: event.Type{Kind: event.Int64}, I64: []int64{3, math.MinInt64, -1, math.MaxInt64, 0}}},
		{"unsigned", event.Vector{Type: event.Type{Kind: event.UInt64}, U64: []uint64{3, math.MaxUint64, 0}}},
		{"bools", event.Vector{Type: event.Type{Kind: event.Bool}, U8: []uint8{1, 0}}},
		{"times", event.Vector{Type: event.Type{Kind: event.DateTime64, Precision: 3}, I64: []int64{5, -5, 0}}},
		{"strings", event.Vector{
			Type:  event.Type{Kind: event.String, Nullable: true},
			Str:   event.Strings{Offsets: []int32{0, 1, 1, 3, 4, 4}, Data: []byte("bü~")},
			Nulls: []uint8{0, 0, 0, 0, 1},
		}},
	} {
		for _, desc := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s desc=%v", c.name, desc), func(t *testing.T) {
				schema, err := event.NewSchema(event.Column{Name: "x", Type: c.v.Type}, event.Column{Name: "i", Type: event.Type{Kind: event.UInt64}})
				if err != nil {
					t.Fatal(err)
				}
				b := event.NewBatch(schema)
				b.Columns[0], b.Rows = c.v, c.v.Len()
				var rows []uint64
				for i := range b.Rows {
					b.Columns[1].AppendUInt64(uint64(i))
					rows = append(rows, uint64(i))
				}
				client := enginetest.Client(t)
				for _, q := range []string{"DROP TABLE IF EXISTS ordering", fmt.Sprintf("CREATE TABLE ordering (x %s, i UInt64) ENGINE = Memory", c.v.Type)} {
					if err := client.Exec(t.Context(), q); err != nil {
						t.Fatal(err)
					}
				}
				if err := client.Insert(t.Context(), "ordering", b); err != nil {
					t.Fatal(err)
				}
				direction := ""
				if desc {
					direction = " DESC"
				}
				want, err := client.QueryBatch(t.Context(), "SELECT i FROM ordering ORDER BY x"+direction+", i")
				if err != nil {
					t.Fatal(err)
				}
				slices.SortStableFunc(rows, func(x, y uint64) int { return Compare(&c.v, int(x), int(y), desc) })
				if !slices.Equal(rows, want.Columns[0].U64) {
					t.Errorf("order is %v, the engine's %v", rows, want.Columns[0].U64)
				}
			})
		}
	}
}

func TestOrderAndLimit(t *testing.T) {
	w := newWorld(newParts(t), t, simpleView)
	for i, country := range []string{"DE", "FR", "IT"} {
		w.append(0, firstEpoch, events(w.view.Plan.Stream.Schema, country, 60*int64(i), 3-i))
		w.append(1, firstEpoch+1, events(w.view.Plan.Stream.Schema, country, 86_400, 2))
	}
	w.publish(firstEpoch)
	for p := range partitions {
		w.flush(p, w.begin(p, firstEpoch), firstEpoch+1)
	}
	day := plan.Window{N: 1, Unit: plan.Day}
	for _, c := range []struct {
		name string
		q    Query
		want string
	}{
		{"by a total, downwards", Query{Order: []Order{{"hits", true}}}, "DE|5 FR|4 IT|3"},
		{"by a key", Query{Order: []Order{{"country", true}}, Limit: 2}, "IT|3 FR|4"},
		{"by two", Query{Bucketing: ByStep, Step: day, Order: []Order{{"time", true}, {"country", false}}, Limit: 4}, "86400|DE|2 86400|FR|2 86400|IT|2 0|DE|3"},
		{"by time where there is one", Query{Bucketing: ByStep, Step: day, By: []string{}}, "0|6 86400|6"},
		{"a limit beyond the answer", Query{Order: []Order{{"country", false}}, Limit: 100}, "DE|5 FR|4 IT|3"},
		{"windows kept by name", Query{By: []string{plan.WindowColumn}, Order: []Order{{plan.WindowColumn, false}}}, "0|3 60|2 120|1 86400|6"},
		{"limit under max rows", Query{Order: []Order{{"country", false}}, Limit: 1, MaxRows: 1}, "DE|5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.From, c.q.To = MinTime, MaxTime
			if got := strings.Join(rowsOf(w.run(c.q).Batch), " "); got != c.want {
				t.Errorf("answer is %s, want %s", got, c.want)
			}
		})
	}
	for _, c := range []struct {
		name   string
		q      Query
		status int
		says   string
	}{
		{"too many rows", Query{MaxRows: 2}, http.StatusUnprocessableEntity, "3 rows, more than the limit of 2"},
		{"order by nothing known", Query{Order: []Order{{"window_start", false}}}, http.StatusBadRequest, `no column "window_start"`},
		{"by nothing known", Query{By: []string{"hits"}}, http.StatusBadRequest, `not grouped by "hits"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.View, c.q.From, c.q.To = w.view, MinTime, MaxTime
			_, err := w.merger.Run(t.Context(), c.q)
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status != c.status || !strings.Contains(p.Detail, c.says) || p.Hint == "" {
				t.Errorf("error is %v, want %d saying %q with a hint", err, c.status, c.says)
			}
		})
	}
}
