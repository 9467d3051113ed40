package worker

import (
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/event"
)

// State is what a view is doing.
type State string

// The states of a view.
const (
	Starting State = "starting" // its state is being loaded or begun anew
	Running  State = "running"
	// Stalled: its aggregation failed on an entry. It stays there, the other views go
	// on, and it starts again when it is removed and added, or with the process.
	Stalled State = "stalled"
)

// Status is where a view stands in this partition.
type Status struct {
	View    string
	State   State
	Seq     uint64      // newest entry whose events Redis holds
	Arrival int64       // its arrival time, ns
	Epoch   event.Epoch // its epoch
	Rows    uint64      // aggregated since the worker started
	Error   string      // of the last attempt where it failed, else empty
	// Lag is how long ago the oldest entry arrived that is read but not in Redis; 0
	// where there is none. While the view does not run it counts from Arrival.
	Lag time.Duration
	// since is the arrival time that Lag counts from, 0 for none.
	since int64
}

// Status returns the status of every view of the worker, by id.
func (w *Worker) Status() []Status {
	now := time.Now().UnixNano()
	w.mu.Lock()
	out := make([]Status, 0, len(w.statuses))
	for _, s := range w.statuses {
		s.Lag = s.lag(now)
		out = append(out, s)
	}
	w.mu.Unlock()
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.View, b.View) })
	return out
}

// View returns the status of one view, false where the worker does not have it.
func (w *Worker) View(id string) (Status, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.statuses[id]
	s.Lag = s.lag(time.Now().UnixNano())
	return s, ok
}

// lag is never negative, since clocks may differ.
func (s *Status) lag(now int64) time.Duration {
	if s.since == 0 {
		return 0
	}
	return max(0, time.Duration(now-s.since))
}

// setStatus publishes a view's status.
func (w *Worker) setStatus(s Status) {
	w.mu.Lock()
	w.statuses[s.View] = s
	w.mu.Unlock()
}

func (w *Worker) dropStatus(view string) {
	w.mu.Lock()
	delete(w.statuses, view)
	w.mu.Unlock()
}
