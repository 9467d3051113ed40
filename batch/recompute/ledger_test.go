package recompute

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/batch/ledger"
)

// TestRunsAreInTheLedger follows a view from its first run on: what is entered is what was
// done, a run that had nothing to do is not, and a run is shown while it runs.
func TestRunsAreInTheLedger(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(50, l.days...)
	l.run(false)
	l.run(false) // nothing new
	l.seal(30, 19_001)
	l.speed.events, l.speed.comparable = 31, true
	second := l.run(false)
	l.run(true)
	l.seal(10, 19_000)
	l.engine.statements, l.engine.failAt = 0, 1
	if _, err := l.runner.Run(t.Context(), l.view, l.index, false); !errors.Is(err, errFault) {
		t.Fatalf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.runner.Run(gone, l.view, l.index, true); err == nil {
		t.Fatal("a run whose caller has gone succeeded")
	}

	runs, err := l.runner.o.Ledger.Runs(t.Context(), l.view.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.Run{
		{Kind: ledger.Batch, State: ledger.Failed}, {Kind: ledger.Rebuild, State: ledger.Published, Generation: 3, Days: len(l.days)},
		{Kind: ledger.Batch, State: ledger.Published, Generation: 2, Days: 1}, {Kind: ledger.Backfill, State: ledger.Published, Generation: 1, Days: len(l.days)},
	}
	if len(runs) > 0 && runs[0].State == ledger.Cancelled {
		runs = runs[1:] // which of a free turn and an ended context wins is not decided
	}
	if len(runs) != len(want) {
		t.Fatalf("%d runs: %+v", len(runs), runs)
	}
	for i, r := range runs {
		if r.Kind != want[i].Kind || r.State != want[i].State || r.Generation != want[i].Generation || r.Days != want[i].Days && r.State == ledger.Published {
			t.Errorf("run %d: %+v, want %+v", i, r, want[i])
		}
		if r.Started.IsZero() || r.Finished.Before(r.Started) {
			t.Errorf("run %d is from %s to %s", i, r.Started, r.Finished)
		}
	}
	if !strings.Contains(runs[0].Error, errFault.Error()) || runs[0].Cut != 0 {
		t.Errorf("the failed run: %+v", runs[0])
	}
	if r := runs[2]; r.Cut != second.Cut || r.Rows != second.Rows || r.Drift != second.Drift || r.Drift.Batch == 0 || r.Drift.Speed != 31 || !r.Drift.Comparable {
		t.Errorf("the second run: %+v, its manifest: %+v", r, second)
	}
	if _, running := l.runner.Running(l.view.ID); running {
		t.Error("a run that has ended is shown")
	}
	if err := l.runner.Drop(t.Context(), l.view); err != nil {
		t.Fatal(err)
	}
	if runs, err := l.runner.o.Ledger.Runs(t.Context(), l.view.ID); err != nil || len(runs) != 0 {
		t.Errorf("after the drop: %+v %v", runs, err)
	}
}

// watched lets a test look while a statement runs.
type watched struct {
	Engine
	look func()
}

func (w watched) Exec(ctx context.Context, query string) error {
	w.look()
	return w.Engine.Exec(ctx, query)
}

func TestARunIsShownWhileItRuns(t *testing.T) {
	l := newLake(t, 0, time.Hour)
	l.seal(5, 19_000)
	seen := 0
	l.engine.Engine = watched{l.engine.Engine, func() {
		if r, running := l.runner.Running(l.view.ID); running && r.Kind == ledger.Backfill && r.State == ledger.Running {
			seen++
		}
	}}
	l.run(false)
	if seen == 0 {
		t.Error("it was never shown")
	}
}
