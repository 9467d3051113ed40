package memstream

import (
	"context"
	"time"
)

// Fault says how one call goes wrong. The zero Fault is none.
type Fault struct {
	// Delay is waited first, or until the call's context ends.
	Delay time.Duration
	// Err is what the call returns; stream.ErrBusy makes sense without TakesEffect only.
	Err error
	// TakesEffect makes an append happen although Err is returned: the ambiguous case.
	TakesEffect bool
}

// Append describes an append that is about to happen.
type Append struct {
	Log       string
	Partition int
	Try       int // appends tried on the store so far, this one included
}

// Read describes an entry that a reader is about to return.
type Read struct {
	Log       string
	Partition int
	Seq       uint64
}

// Faults decides which calls go wrong. Nil functions mean none; they are called from
// many goroutines.
type Faults struct {
	Append func(Append) Fault
	Read   func(Read) Fault
}

// Inject replaces the faults of the store.
func (s *Store) Inject(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// FailAppend returns Faults that give f to the k-th append from now on, k from 1.
func (s *Store) FailAppend(k int, f Fault) Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.tries + k
	return Faults{Append: func(a Append) Fault {
		if a.Try == at {
			return f
		}
		return Fault{}
	}}
}

func (s *Store) appendFault(id string, partition int) Fault {
	s.mu.Lock()
	s.tries++
	decide, try := s.faults.Append, s.tries
	s.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	return decide(Append{Log: id, Partition: partition, Try: try})
}

func (s *Store) readFault(id string, partition int, seq uint64) Fault {
	s.mu.Lock()
	decide := s.faults.Read
	s.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	return decide(Read{Log: id, Partition: partition, Seq: seq})
}

// wait waits the fault's delay.
func (f Fault) wait(ctx context.Context) error {
	if f.Delay <= 0 {
		return nil
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
