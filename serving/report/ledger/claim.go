package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Claim is the right to work on a run. It ends by Finish or Release, or is lost. It is
// safe for concurrent use.
type Claim struct {
	ledger *Ledger
	ctx    context.Context
	cancel context.CancelCauseFunc
	expiry *time.Timer // fires when the lease ends
	kept   sync.WaitGroup

	mu     sync.Mutex // held over each write: entries follow each other
	record Record
	over   bool
}

// lastWordTimeout bounds the last entry of a claim, which is written even while the process
// ends, so that another takes the run up at once.
const lastWordTimeout = 5 * time.Second

// newClaim begins to keep a claim alive, until it ends or ctx does.
func newClaim(ctx context.Context, l *Ledger, r Record) *Claim {
	c := &Claim{ledger: l, record: r}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.expiry = time.AfterFunc(l.lease, func() { c.cancel(ErrLost) })
	c.kept.Go(c.keep)
	return c
}

// Context ends with the claim: when its lease is over, too. Whatever is done for the run is
// done under it, so that a process that was paused does not go on where it was.
func (c *Claim) Context() context.Context { return c.ctx }

// Run returns the run as the ledger has it.
func (c *Claim) Run() Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.clone()
}

// keep gives a sign of life until the claim is over.
func (c *Claim) keep() {
	tick := time.NewTicker(c.ledger.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
			// Where the store does not answer, the next tick tries again until the lease ends.
			_ = c.Update(func(*Run) {})
		}
	}
}

// Update makes a change durable, and with it that the process lives. ErrLost says that the
// run is another's.
func (c *Claim) Update(change func(*Run)) error {
	return c.write(c.ctx, change, func(r *Record) { r.Lease = c.ledger.clock().Add(c.ledger.lease) })
}

// Finish writes the last entry of the run and ends the claim.
func (c *Claim) Finish(state State, change func(*Run)) error {
	defer c.end()
	now := c.ledger.clock()
	return c.lastWord(change, func(r *Record) {
		r.State, r.Finished, r.Lease = state, &now, time.Time{}
	})
}

// Release ends the claim so that any process takes the run up at a time.
func (c *Claim) Release(next time.Time, change func(*Run)) error {
	defer c.end()
	next = next.UTC()
	return c.lastWord(change, func(r *Record) {
		r.State, r.NextAttempt, r.Lease = Waiting, &next, time.Time{}
	})
}

// Abandon ends the claim without a word: as a process that ends at once does. The run is
// taken up when the lease is over.
func (c *Claim) Abandon() { c.end() }

func (c *Claim) end() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.expiry.Stop()
	c.cancel(context.Canceled)
	c.kept.Wait()
}

func (c *Claim) lastWord(change func(*Run), then func(*Record)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), lastWordTimeout)
	defer cancel()
	return c.write(ctx, change, then)
}

func (c *Claim) write(ctx context.Context, change func(*Run), then func(*Record)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.ledger.clock()
	if c.over || !now.Before(c.record.Lease) {
		c.cancel(ErrLost)
		return fmt.Errorf("write run %s: %w", c.record.ID, ErrLost)
	}
	next := c.record
	next.Run = c.record.clone()
	change(&next.Run)
	then(&next)
	next.seq++
	err := c.ledger.write(ctx, next)
	if errors.Is(err, ErrTaken) {
		c.cancel(ErrLost)
		return fmt.Errorf("write run %s: %w", c.record.ID, ErrLost)
	}
	if err != nil {
		return err
	}
	c.record = next
	if !next.Lease.IsZero() {
		c.expiry.Reset(next.Lease.Sub(now))
	}
	return nil
}
