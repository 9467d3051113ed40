// Package ledger keeps what the batch runs of views did: when, with which outcome, and how
// batch and speed compared.
//
// The one invariant: the ledger follows what was published and never decides anything. A run
// stands whether or not its line could be written, and the next line takes it along.
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/lake/objstore"
)

// KeptRuns is how many runs of a view are kept, the newest: some hours of a run a minute,
// most of a year of one a day. A view's file is some tens of kilobytes then, which each run
// writes anew.
const KeptRuns = 250

// formatVersion is the version of the file; a reader refuses others.
const formatVersion = 1

// Kind is what a run was for.
type Kind string

// The kinds of runs.
const (
	Batch    Kind = "batch"    // takes over the epochs that the lake has completed
	Rebuild  Kind = "rebuild"  // recomputes everything
	Backfill Kind = "backfill" // computes the history of a view that is new
)

// State is how far a run has come.
type State string

// The states of runs.
const (
	Running   State = "running"
	Published State = "published"
	Failed    State = "failed"
	Cancelled State = "cancelled" // the process ended, or whoever asked for it went away
)

// Run is one run that had something to do.
type Run struct {
	Kind       Kind              `json:"kind"`
	State      State             `json:"state"`
	Started    time.Time         `json:"started"`
	Finished   time.Time         `json:"finished"`
	Error      string            `json:"error,omitempty"` // of one that failed
	Generation uint64            `json:"generation"`      // that it published; 0: none
	Cut        event.Epoch       `json:"cut"`             // of the generation
	Rows       int64             `json:"rows"`            // groups of the generation
	Days       int               `json:"days"`            // event days that were recomputed
	Drift      publication.Drift `json:"drift"`
}

// file is what the store holds of a view, the newest run first.
type file struct {
	Format int    `json:"format"`
	View   string `json:"view"`
	Runs   []Run  `json:"runs"`
}

// Ledger keeps the runs of all views. It is safe for concurrent use.
type Ledger struct {
	store objstore.Store

	mu    sync.Mutex // held over the writing too: runs of views are rare
	views map[string][]Run
}

// Open returns the ledger in a store.
func Open(store objstore.Store) *Ledger {
	return &Ledger{store: store, views: map[string][]Run{}}
}

// Name returns the object that holds a view's runs.
func Name(view string) string { return "views/" + url.PathEscape(view) + "/runs.json" }

// Runs returns the runs of a view, by its id, the newest first. They must not be changed.
func (l *Ledger) Runs(ctx context.Context, view string) ([]Run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.load(ctx, view)
}

func (l *Ledger) load(ctx context.Context, view string) ([]Run, error) {
	if runs, ok := l.views[view]; ok {
		return runs, nil
	}
	var f file
	data, err := objstore.Get(ctx, l.store, Name(view))
	switch {
	case errors.Is(err, objstore.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("read runs of view %s: %w", view, err)
	default:
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, fmt.Errorf("read runs of view %s: %w", view, err)
		}
		if f.Format != formatVersion {
			return nil, fmt.Errorf("read runs of view %s: format %d is not known, only %d", view, f.Format, formatVersion)
		}
	}
	l.views[view] = f.Runs
	return f.Runs, nil
}

// Add enters a run that has ended. After an error the run is known to this process, and
// written down with the next one.
func (l *Ledger) Add(ctx context.Context, view string, r Run) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	runs, err := l.load(ctx, view)
	if err != nil {
		return err
	}
	runs = append([]Run{r}, runs[:min(len(runs), KeptRuns-1)]...)
	l.views[view] = runs
	data, err := json.Marshal(file{formatVersion, view, runs})
	if err != nil {
		return fmt.Errorf("encode runs of view %s: %w", view, err)
	}
	if err := l.store.Put(ctx, Name(view), data); err != nil {
		return fmt.Errorf("write runs of view %s: %w", view, err)
	}
	return nil
}

// Drop removes the runs of a view. Dropping what is not there succeeds.
func (l *Ledger) Drop(ctx context.Context, view string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.views, view)
	if err := l.store.Delete(ctx, Name(view)); err != nil {
		return fmt.Errorf("drop runs of view %s: %w", view, err)
	}
	return nil
}

// Newest returns the newest run that ended by itself, false where there is none: one that
// runs or was cancelled says nothing about the view.
func Newest(runs []Run) (Run, bool) {
	i := slices.IndexFunc(runs, func(r Run) bool { return r.State == Published || r.State == Failed })
	if i < 0 {
		return Run{}, false
	}
	return runs[i], true
}
