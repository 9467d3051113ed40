package deadletter

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/lake/objstore"
)

// opened counts the objects that are read.
type opened struct {
	objstore.Store
	reads int
}

func (o *opened) Open(ctx context.Context, name string) (objstore.Reader, error) {
	o.reads++
	return o.Store.Open(ctx, name)
}

func TestSummary(t *testing.T) {
	objects := &opened{Store: disk(t)}
	s := open(t, objects)
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	write := func(second int, reasons ...string) {
		t.Helper()
		var letters []Letter
		for _, r := range reasons {
			letters = append(letters, Letter{Arrival: at(second), Reason: r, Raw: []byte("{}")})
		}
		if err := s.Write(t.Context(), id, letters); err != nil {
			t.Fatal(err)
		}
	}
	class := func(reason string) string { before, _, _ := strings.Cut(reason, ","); return before }
	expect := func(what string, reads int, want Summary) {
		t.Helper()
		before := objects.reads
		got, err := s.Summarise(t.Context(), id, class)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v\nwant %+v", what, got, err, want)
		}
		if objects.reads-before != reads {
			t.Errorf("%s: %d objects were read, want %d", what, objects.reads-before, reads)
		}
	}
	expect("nothing", 0, Summary{})
	write(1, "not a time, 1", "not a time, 2", "not JSON, 3")
	write(2, "not JSON, 4")
	want := Summary{Letters: 4, Newest: at(2), Counted: 4, Reasons: []Reason{{"not JSON", 2, at(2)}, {"not a time", 2, at(1)}}}
	expect("two objects", 2, want)
	expect("the same again", 0, want)
	write(3, "not a time, 5")
	expect("one more", 1, Summary{Letters: 5, Newest: at(3), Counted: 5, Reasons: []Reason{{"not a time", 3, at(3)}, {"not JSON", 2, at(2)}}})
	list, err := s.List(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list[:1] {
		if err := s.Replay(t.Context(), o.Name, func(context.Context, []Letter) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	expect("after a replay", 0, Summary{Letters: 2, Newest: at(3), Counted: 2, Reasons: []Reason{{"not JSON", 1, at(2)}, {"not a time", 1, at(3)}}})
	many := make([]string, maxSummarised)
	for i := range many {
		many[i] = "too many"
	}
	write(4, many...)
	expect("the newest only", 1, Summary{Letters: 2 + maxSummarised, Newest: at(4), Counted: maxSummarised, Reasons: []Reason{{"too many", maxSummarised, at(4)}}})
}
