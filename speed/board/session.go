package board

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/millrace/millrace/ingest/stream"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/speed/redisboard"
	"github.com/millrace/millrace/speed/redisview"
)

// session is the work from one loading of the state to the first failure after it. After a
// failure nothing in memory is trusted: whether the last flush was applied is told by the
// checkpoint that the next session loads.
type session struct {
	*Worker
	pipeline *plan.Pipeline
	delta    *agg.Table // groups by (pane, member) of the entries after stored
	tally    *ranking.Tally
	windows  map[ranking.Instance]bool // that Redis has

	stored     redisboard.Checkpoint
	applied    redisboard.Checkpoint // stored, and what delta holds
	verified   time.Time
	progressed bool // something was written
}

func newSession(w *Worker) *session {
	return &session{
		Worker: w, pipeline: w.o.Plan.View.NewPipeline(), delta: w.o.Plan.View.NewTable(), tally: ranking.NewTally(w.o.Plan),
		windows: make(map[ranking.Instance]bool),
	}
}

// run loads or builds the state and follows the log from there until something fails.
func (s *session) run(ctx context.Context, anew bool) error {
	if err := s.open(ctx, anew); err != nil {
		return err
	}
	s.stands()
	s.note()
	o := s.o.Tail
	o.After, o.ArrivalFrom = s.stored.Seq, s.stored.Arrival
	if o.After == 0 {
		o.ArrivalFrom = 0
	}
	follower := stream.Follow(ctx, o, readAhead)
	defer follower.Stop()
	tick := time.NewTicker(s.o.FlushEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case i := <-follower.Items:
			if i.Err != nil {
				return fmt.Errorf("read the log: %w", i.Err)
			}
			err = s.apply(ctx, &i.Delivery)
		case now := <-tick.C:
			err = s.tick(ctx, now)
		}
		if err != nil {
			return err
		}
	}
}

// open takes over what Redis holds, or builds it anew where it holds nothing whole, or
// something of another log.
func (s *session) open(ctx context.Context, anew bool) error {
	head, err := s.o.Tail.Log.Head(ctx, s.o.Tail.Partition)
	if err != nil {
		return fmt.Errorf("find the log's head: %w", err)
	}
	stored, windows, ok, err := s.o.Store.Load(ctx, s.board)
	if err != nil && !errors.Is(err, redisboard.ErrUnreadable) {
		return err
	}
	if anew || err != nil || !ok || stored.Building || stored.Seq > head {
		return s.build(ctx)
	}
	// The token goes in at once, so that a worker before this one can do nothing more.
	at := stored
	at.Fence = s.o.Fence
	if err := s.o.Store.Flush(ctx, s.board, stored, at, nil, nil, nil); err != nil {
		return err
	}
	for _, i := range windows {
		s.windows[i] = true
	}
	s.stored, s.applied, s.verified = at, at, time.Now()
	return nil
}

// apply adds an entry to the delta, and writes it where it has grown large.
func (s *session) apply(ctx context.Context, d *stream.Delivery) error {
	if d.Count() > 0 && !d.Epoch.CoveredBy(s.stored.Base) {
		if err := s.pipeline.Apply(d.Batch, d.Rows, s.delta); err != nil {
			return fmt.Errorf("aggregate entry %d: %w", d.Seq, err)
		}
	}
	s.applied.Seq, s.applied.Arrival, s.applied.Epoch = d.Seq, d.Arrival, d.Epoch
	if s.delta.Len() >= flushGroups {
		return s.flush(ctx)
	}
	return nil
}

// tick writes what has changed, or looks whether what was written is still there.
func (s *session) tick(ctx context.Context, now time.Time) error {
	if s.applied != s.stored {
		return s.flush(ctx)
	}
	if now.Sub(s.verified) < verifyAfter*s.o.FlushEvery {
		return nil
	}
	stored, _, ok, err := s.o.Store.Load(ctx, s.board)
	if err != nil {
		return err
	}
	if err := redisview.Compare(stored.Checkpoint, ok, s.stored.Checkpoint, s.stored.Checkpoint); err != nil {
		return fmt.Errorf("look for the state: %w", err)
	}
	s.verified = now
	return nil
}

// flush brings the delta to Redis.
func (s *session) flush(ctx context.Context) error {
	began := time.Now()
	next := s.applied
	next.Floor = max(s.stored.Floor, s.floor())
	var drop []ranking.Instance
	if next.Floor > s.stored.Floor {
		for i := range s.windows {
			if i.Over(s.o.Plan, next.Floor) {
				drop = append(drop, i)
			}
		}
	}
	if err := s.tallyDelta(next.Floor); err != nil {
		return err
	}
	touched, places := s.touched()
	fresh := true
	err := s.o.Store.Flush(ctx, s.board, s.stored, next, touched, func(old [][]redisboard.Total) ([][]redisboard.Total, error) {
		if !fresh { // the transaction was aborted after the old totals were merged
			if err := s.tallyDelta(next.Floor); err != nil {
				return nil, err
			}
		}
		fresh = false
		return s.totals(places, old)
	}, drop)
	if err != nil {
		return err
	}
	for _, t := range touched {
		s.windows[t.Instance] = true
	}
	for _, i := range drop {
		delete(s.windows, i)
	}
	s.delta.Reset()
	s.stored, s.applied, s.verified, s.progressed = next, next, time.Now(), true
	s.o.Metrics.flushed(s.o.ID, time.Since(began), s.tally.Len())
	s.note()
	return nil
}

// tallyDelta adds up the delta.
func (s *session) tallyDelta(floor int64) error {
	s.tally.Reset()
	if s.delta.Len() == 0 {
		return nil
	}
	return s.tally.Add(s.tally.TableGroups(s.delta), nil, floor)
}

// touched lists the totals by window; places are their numbers in the tally.
func (s *session) touched() (touched []redisboard.Touched, places [][]int) {
	instances, members := s.tally.Totals()
	at := make(map[ranking.Instance]int)
	for i, in := range instances {
		n, ok := at[in]
		if !ok {
			n = len(touched)
			at[in] = n
			touched, places = append(touched, redisboard.Touched{Instance: in}), append(places, nil)
		}
		touched[n].Members = append(touched[n].Members, members[i])
		places[n] = append(places[n], i)
	}
	return touched, places
}

// totals merges the old totals into the tally and returns the new ones.
func (s *session) totals(places [][]int, old [][]redisboard.Total) ([][]redisboard.Total, error) {
	for i, of := range old {
		for j, t := range of {
			if t.States == nil {
				continue
			}
			if err := s.tally.Merge(places[i][j], t.States); err != nil {
				return nil, fmt.Errorf("%w: %w", redisboard.ErrUnreadable, err)
			}
		}
	}
	keys, err := s.tally.Keys()
	if err != nil {
		return nil, err
	}
	totals := make([][]redisboard.Total, len(places))
	for i, of := range places {
		for _, place := range of {
			totals[i] = append(totals[i], redisboard.Total{Key: keys[place], States: s.tally.AppendStates(nil, place)})
		}
	}
	return totals, nil
}
