package report

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/report/ledger"
)

const (
	// maxRuns is how many runs are under way in a process. Most of them wait for a receiver;
	// each may hold a document.
	maxRuns = 64
	// maxQueries is how many reports query at a time: the engine is there for people first.
	maxQueries = 2
	// maxCaughtUp is how many missed ticks RunAll makes up for.
	maxCaughtUp = 24
	// lateAfter is how late a tick may be met before it counts as missed: past the restart of a
	// process.
	lateAfter = 2 * time.Minute
	// longestPoll bounds the time between two looks at the ledger.
	longestPoll = 10 * time.Second
	// collectEvery is how often old runs are removed.
	collectEvery = 10 * time.Minute
)

// Scheduler runs reports at their ticks. Several in as many processes may share a ledger.
type Scheduler struct {
	o       Options
	metrics *metrics
	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	work    sync.WaitGroup
	kick    chan struct{}
	runs    chan struct{} // a slot for each run under way
	queries chan struct{}

	collected time.Time // when old runs were removed last; of the loop alone

	mu      sync.Mutex
	reports map[string]*underWay // by id
}

// underWay are the runs of one report in this process.
type underWay struct {
	ctx    context.Context
	cancel context.CancelFunc
	runs   sync.WaitGroup
}

// Start returns a scheduler at work.
func Start(o Options) *Scheduler {
	s := New(o)
	s.work.Go(s.loop)
	return s
}

// New returns a scheduler that does what it is asked and minds no schedule.
func New(o Options) *Scheduler {
	s := &Scheduler{
		o: o.withDefaults(), metrics: newMetrics(o.Metrics),
		kick: make(chan struct{}, 1), reports: map[string]*underWay{}, runs: make(chan struct{}, maxRuns), queries: make(chan struct{}, maxQueries),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Stop ends the runs under way, which another process takes up, and waits for them at most
// until ctx ends.
func (s *Scheduler) Stop(ctx context.Context) error {
	s.cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.work.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop reports: runs are still under way: %w", ctx.Err())
	}
}

// Kick makes the scheduler look at once: a report was made or dropped.
func (s *Scheduler) Kick() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// loop looks at every report, again and again: at its ticks, and in between for runs whose
// owner is gone or whose next attempt is due. The clock says when; nothing else triggers a
// run, so that a look that comes late finds the same work.
func (s *Scheduler) loop() {
	poll := min(s.o.Ledger.Lease()/3, longestPoll)
	for {
		next := s.look(s.o.Now().Add(poll))
		timer := time.NewTimer(max(0, next.Sub(s.o.Now())))
		select {
		case <-s.ctx.Done():
			timer.Stop()
			return
		case <-s.kick:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// look visits every report and returns when to look again: at the next tick, and by latest.
func (s *Scheduler) look(latest time.Time) time.Time {
	reports, err := s.o.Reports(s.ctx)
	if err != nil {
		s.warn("list reports", err)
		return latest
	}
	collect := s.o.Now().Sub(s.collected) >= collectEvery
	if collect {
		s.collected = s.o.Now()
	}
	for _, d := range reports {
		if err := s.visit(d); err != nil {
			s.warn("look after report", err, "report", d.Name)
		}
		if collect {
			if _, err := s.o.Ledger.Collect(s.ctx, d.ID, s.o.Keep); err != nil {
				s.warn("remove old runs", err, "report", d.Name)
			}
		}
		if next := d.Schedule.Next(s.o.Now()); !next.IsZero() && next.Before(latest) {
			latest = next
		}
	}
	return latest
}

// warn logs an error unless it only says that the scheduler stops.
func (s *Scheduler) warn(what string, err error, args ...any) {
	if s.ctx.Err() == nil {
		s.o.Log.Warn(what, append(args, "error", err)...)
	}
}

// visit takes up what is due of a report, and begins the runs of its ticks.
func (s *Scheduler) visit(d *Definition) error {
	ctx := s.underWay(d.ID).ctx
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was dropped since it was listed
	}
	now := s.o.Now()
	records, err := s.o.Ledger.Runs(ctx, d.ID)
	if err != nil {
		return err
	}
	last := d.Created
	for _, r := range records {
		if !r.ByHand && r.Tick.After(last) {
			last = r.Tick
		}
		if !r.Due(now) || !s.slot() {
			continue
		}
		_, err := s.begin(d, func(ctx context.Context) (*ledger.Claim, error) { return s.o.Ledger.TakeUp(ctx, r) })
		if err != nil && !elsewhere(err) {
			return err
		}
	}
	missed, ticks := dueRuns(d, last, now)
	if missed.MissedTicks > 0 {
		if err := s.o.Ledger.Note(ctx, missed); err != nil && !elsewhere(err) {
			return err
		}
		s.metrics.runs.WithLabelValues(string(ledger.Missed)).Inc()
	}
	// The oldest first: the newest tick in the ledger says what has been seen to.
	for _, tick := range ticks {
		if !s.slot() {
			return nil
		}
		_, err := s.begin(d, func(ctx context.Context) (*ledger.Claim, error) {
			return s.o.Ledger.Begin(ctx, newRun(d, ledger.TickID(tick), tick))
		})
		if err != nil && !elsewhere(err) {
			return err
		}
	}
	return nil
}

// elsewhere reports whether a run was not begun because another process has it, or because
// the report, or this process, is at its end.
func elsewhere(err error) bool {
	return errors.Is(err, ledger.ErrTaken) || errors.Is(err, context.Canceled)
}

// dueRuns says what is to be done about the ticks of a report between the last that was seen
// to and now: which run, and how the others are noted, in one run of the state Missed.
func dueRuns(d *Definition, last, now time.Time) (missed ledger.Run, ticks []time.Time) {
	count, newest := d.Schedule.due(last, now, maxCaughtUp+1)
	if count == 0 {
		return missed, nil
	}
	onTime := now.Sub(newest[len(newest)-1]) <= lateAfter
	run := 0 // of the newest
	switch {
	case d.Missed == RunAll:
		run = min(count, maxCaughtUp)
	case d.Missed == RunLast || onTime:
		run = 1
	}
	ticks = newest[len(newest)-run:]
	if count > run {
		at := newest[len(newest)-1]
		if run > 0 {
			at = newest[len(newest)-run-1]
		}
		missed = newRun(d, ledger.TickID(at), at)
		missed.State, missed.Finished, missed.MissedTicks, missed.Deliveries = ledger.Missed, &now, count-run, nil
	}
	return missed, ticks
}

// newRun is a run of which nothing has been done.
func newRun(d *Definition, id string, tick time.Time) ledger.Run {
	r := ledger.Run{Report: d.ID, ID: id, Tick: tick.UTC()}
	for _, to := range d.Recipients() {
		r.Deliveries = append(r.Deliveries, ledger.Delivery{To: to, State: ledger.Pending})
	}
	return r
}

// slot takes a place for a run; without one the run waits for a later look, here or in
// another process.
func (s *Scheduler) slot() bool {
	select {
	case s.runs <- struct{}{}:
		return true
	default:
		return false
	}
}

// job is a run under way in this process.
type job struct {
	claim *ledger.Claim
	ended chan struct{}
}

// begin claims a run and works on it in a slot that is taken already, and that is given back
// when the run has ended, or at once where there is none.
func (s *Scheduler) begin(d *Definition, claim func(ctx context.Context) (*ledger.Claim, error)) (*job, error) {
	report := s.underWay(d.ID)
	report.runs.Add(1) // before the claim, so that Forget waits for it
	var c *ledger.Claim
	err := report.ctx.Err()
	if err == nil {
		c, err = claim(report.ctx)
	}
	if err != nil {
		report.runs.Done()
		<-s.runs
		return nil, err
	}
	j := &job{claim: c, ended: make(chan struct{})}
	s.work.Go(func() {
		defer func() {
			<-s.runs
			report.runs.Done()
			close(j.ended)
		}()
		s.run(c, d)
	})
	return j, nil
}

func (s *Scheduler) underWay(id string) *underWay {
	s.mu.Lock()
	defer s.mu.Unlock()
	report, ok := s.reports[id]
	if !ok {
		report = &underWay{}
		report.ctx, report.cancel = context.WithCancel(s.ctx)
		s.reports[id] = report
	}
	return report
}

// Forget ends the runs of a report that was dropped, and begins none again: its id is never
// used for another.
func (s *Scheduler) Forget(id string) {
	report := s.underWay(id)
	report.cancel()
	report.runs.Wait()
}

// RunNow runs a report at once, beside its schedule, and returns its run as it is when the
// first attempt of each delivery has ended, or ctx. The run goes on after that.
func (s *Scheduler) RunNow(ctx context.Context, d *Definition) (ledger.Run, error) {
	busy := problem.Busy("as many reports as may run at a time are under way", longestPoll)
	if s.ctx.Err() != nil || !s.slot() {
		return ledger.Run{}, busy
	}
	now := s.o.Now()
	r := newRun(d, ledger.HandID(now), now)
	r.ByHand = true
	j, err := s.begin(d, func(ctx context.Context) (*ledger.Claim, error) { return s.o.Ledger.Begin(ctx, r) })
	if err != nil {
		return ledger.Run{}, err
	}
	select {
	case <-j.ended:
	case <-ctx.Done():
	}
	return j.claim.Run(), nil
}
