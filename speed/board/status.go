package board

import "sync"

// Status is where a leaderboard stands in a partition.
type Status struct {
	Seq     uint64 // newest entry whose events Redis holds
	Arrival int64  // its arrival time, ns
	Error   string // of the last session, until something is written again
}

// statusBox holds a worker's status for others to see.
type statusBox struct {
	mu     sync.Mutex
	status Status
}

// Status returns where the worker stands.
func (w *Worker) Status() Status {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	return w.state.status
}

// note publishes what a session has written.
func (s *session) note() {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.status = Status{Seq: s.stored.Seq, Arrival: s.stored.Arrival}
	s.o.Metrics.at(s.o.ID, s.o.Tail.Partition, s.stored.Arrival)
}

// noteFailure publishes what ended a session.
func (w *Worker) noteFailure(err error) {
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	w.state.status.Error = err.Error()
}
