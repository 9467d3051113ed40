package ledger

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/lake/objstore"
	"github.com/millrace/millrace/lake/objstore/local"
)

var errPut = errors.New("store failed by the test")

// flaky is a store whose next Put fails where that is set.
type flaky struct {
	objstore.Store
	fail bool
}

func (f *flaky) Put(ctx context.Context, name string, data []byte) error {
	if f.fail {
		f.fail = false
		return errPut
	}
	return f.Store.Put(ctx, name, data)
}

func newStore(t *testing.T) *flaky {
	t.Helper()
	store, err := local.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &flaky{Store: store}
}

func run(generation int) Run {
	at := time.Date(2026, 1, 2, 3, 4, generation, 0, time.UTC)
	return Run{
		Kind: Batch, State: Published, Started: at, Finished: at.Add(time.Second), Generation: uint64(generation), Cut: 7, Rows: 3, Days: 1,
		Drift: publication.Drift{From: 6, To: 7, Batch: 5, Speed: 4, Comparable: true},
	}
}

func runs(t *testing.T, l *Ledger, view string) []Run {
	t.Helper()
	out, err := l.Runs(t.Context(), view)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRunsOutliveTheProcess(t *testing.T) {
	store := newStore(t)
	l := Open(store)
	for _, g := range []int{1, 2} {
		if err := l.Add(t.Context(), "a/b.7", run(g)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Add(t.Context(), "other.8", run(9)); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*Ledger{"the same": l, "another process": Open(store)} {
		if got := runs(t, l, "a/b.7"); !reflect.DeepEqual(got, []Run{run(2), run(1)}) {
			t.Errorf("%s: %+v", name, got)
		}
		if got := runs(t, l, "none"); len(got) != 0 {
			t.Errorf("%s: runs of a view without any: %+v", name, got)
		}
	}
	if err := l.Drop(t.Context(), "a/b.7"); err != nil {
		t.Fatal(err)
	}
	if got := runs(t, Open(store), "a/b.7"); len(got) != 0 {
		t.Errorf("after the drop: %+v", got)
	}
	if got := runs(t, Open(store), "other.8"); len(got) != 1 {
		t.Errorf("of the other view: %+v", got)
	}
}

func TestTheNewestRunsAreKept(t *testing.T) {
	l := Open(newStore(t))
	for g := range KeptRuns + 3 {
		if err := l.Add(t.Context(), "v", run(g)); err != nil {
			t.Fatal(err)
		}
	}
	got := runs(t, l, "v")
	if len(got) != KeptRuns || got[0].Generation != KeptRuns+2 || got[KeptRuns-1].Generation != 3 {
		t.Errorf("%d runs, the newest %+v, the oldest %+v", len(got), got[0], got[len(got)-1])
	}
}

func TestARunWhoseLineFailedIsWrittenWithTheNext(t *testing.T) {
	store := newStore(t)
	l := Open(store)
	store.fail = true
	if err := l.Add(t.Context(), "v", run(1)); !errors.Is(err, errPut) {
		t.Fatalf("%v", err)
	}
	if got := runs(t, l, "v"); len(got) != 1 {
		t.Errorf("known to the process: %+v", got)
	}
	if err := l.Add(t.Context(), "v", run(2)); err != nil {
		t.Fatal(err)
	}
	if got := runs(t, Open(store), "v"); len(got) != 2 {
		t.Errorf("written: %+v", got)
	}
}

func TestAnUnknownFileIsRefused(t *testing.T) {
	store := newStore(t)
	for content, want := range map[string]string{`{"format":2}`: "format 2", `{`: "unexpected end"} {
		if err := store.Put(t.Context(), Name("v"), []byte(content)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(store).Runs(t.Context(), "v"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", content, err)
		}
		if err := Open(store).Add(t.Context(), "v", run(1)); err == nil {
			t.Errorf("%s: it was overwritten", content)
		}
	}
}

func TestNewest(t *testing.T) {
	failed := Run{State: Failed, Error: "no room"}
	for _, c := range []struct {
		runs []Run
		want string
		any  bool
	}{
		{nil, "", false},
		{[]Run{run(1), failed}, "", true},
		{[]Run{{State: Running}, {State: Cancelled}, failed, run(1)}, "no room", true},
		{[]Run{{State: Cancelled}}, "", false},
	} {
		if got, ok := Newest(c.runs); got.Error != c.want || ok != c.any {
			t.Errorf("%+v: %+v %t", c.runs, got, ok)
		}
	}
}
