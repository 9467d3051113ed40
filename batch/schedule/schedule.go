// Package schedule runs the batch jobs of views by cron.
//
// The one invariant: runs of one job never overlap, and Stop returns only when every run
// has ended.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// Scheduler runs jobs at the times of their cron expressions, in UTC. It is safe for
// concurrent use.
type Scheduler struct {
	cron   *cron.Cron
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	entries map[string]cron.EntryID
}

// Start returns a running scheduler without jobs.
func Start(log *slog.Logger) *Scheduler {
	s := &Scheduler{cron: cron.New(cron.WithLocation(time.UTC)), log: log, entries: map[string]cron.EntryID{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.cron.Start()
	return s
}

// Add schedules a job by a cron expression of five fields or a descriptor such as
// @hourly. A job that is still running when its next time comes is left alone. A failed
// run is logged; its next time is the next try. The context of run ends with Stop.
func (s *Scheduler) Add(name, spec string, run func(ctx context.Context) error) error {
	job := cron.NewChain(cron.SkipIfStillRunning(cron.DiscardLogger)).Then(cron.FuncJob(func() {
		if err := run(s.ctx); err != nil && s.ctx.Err() == nil {
			s.log.Error("scheduled job failed; it is tried again at its next time", "job", name, "error", err)
		}
	}))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[name]; ok {
		return fmt.Errorf("schedule %s: it is scheduled already", name)
	}
	id, err := s.cron.AddJob(spec, job)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", name, err)
	}
	s.entries[name] = id
	return nil
}

// Remove ends a job's schedule; a run under way goes on. Removing what is not there does
// nothing.
func (s *Scheduler) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.entries[name]; ok {
		s.cron.Remove(id)
		delete(s.entries, name)
	}
}

// Next returns when a job runs next, the zero time where it is not scheduled.
func (s *Scheduler) Next(name string) time.Time {
	s.mu.Lock()
	id, ok := s.entries[name]
	s.mu.Unlock()
	if !ok {
		return time.Time{}
	}
	return s.cron.Entry(id).Next
}

// Stop ends all schedules, cancels the runs under way and waits for them, at most until
// ctx ends.
func (s *Scheduler) Stop(ctx context.Context) error {
	ended := s.cron.Stop()
	s.cancel()
	select {
	case <-ended.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop schedule: runs are still under way: %w", ctx.Err())
	}
}
