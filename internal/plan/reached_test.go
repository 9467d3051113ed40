package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

// TestFirstReached compares both back ends of the hidden aggregates' texts on edge values
// of every type, and ReachedAt with the time that went in.
func TestFirstReached(t *testing.T) {
	b := newBench(t, "first_reached", randomBatch(seed(t), testSchema, 2000))
	var trials []trial
	for _, time := range []string{"d", "t0", "t3", "t9"} {
		stream := &Stream{Name: "s", Schema: testSchema, EventTime: testSchema.Index(time)}
		builder := newViewBuilder(&sql.CreateView{}, stream)
		for _, call := range []string{"max(i)", "min(i)", "max(u)", "min(nu)", "max(f)", "min(f)", "maxIf(nf, b)", "MAX(ni)", "min(length(s))", "max(n % 7)", "max(i > 0 ? 1 : 2)"} {
			reached, ok := firstReached(aggregateOf(t, &builder, call), stream)
			if !ok {
				t.Fatalf("%s has no text", call)
			}
			key := reached.Args[0].(*bound)
			trials = append(trials, trial{text: call, bound: key, ownMeaning: true})
			checkReachedAt(t, call, stream, reached, b.batch)
		}
	}
	fmt.Printf("texts of (value, time): %d values compared with the engine\n", b.check(t, trials))
}

func aggregateOf(t *testing.T, b *viewBuilder, call string) Aggregate {
	t.Helper()
	e, err := sql.ParseExpr(call)
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.bindAggregate(e.(*sql.Call))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func checkReachedAt(t *testing.T, call string, stream *Stream, a Aggregate, rows *event.Batch) {
	t.Helper()
	board := &Board{View: &View{Stream: stream, Aggregates: []Aggregate{a}}, First: true, Reached: true}
	v, err := Compile(a.Args[0]).Eval(rows.Columns, rows.Rows)
	if err != nil {
		t.Fatal(err)
	}
	times := &rows.Columns[stream.EventTime]
	for i := range rows.Rows {
		if v.Null(i) {
			continue
		}
		if got := board.ReachedAt(v.Str.At(i)); got != times.I64[i] {
			t.Fatalf("%s: time %d reads back as %d", call, times.I64[i], got)
		}
	}
}

func TestFirstReachedOfOthers(t *testing.T) {
	stream := &Stream{Schema: testSchema, EventTime: testSchema.Index("t3")}
	builder := newViewBuilder(&sql.CreateView{}, stream)
	for _, call := range []string{"sum(i)", "count()", "max(s)", "min(d)", "max(b)", "uniq(s)"} {
		if _, ok := firstReached(aggregateOf(t, &builder, call), stream); ok {
			t.Errorf("%s has a text", call)
		}
	}
	for _, f := range Functions() {
		if strings.HasPrefix(f.Name, "_") {
			t.Errorf("users can call %s", f.Name)
		}
	}
}
