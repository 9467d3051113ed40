package appliance

import (
	"context"
	"time"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/ingest/decode"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/rate"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/serving/overview"
	"github.com/millrace/millrace/speed/worker"
)

// facts tells the overview how streams, views and parts do.
type facts struct{ a *Appliance }

// Stream implements overview.Facts.
func (f facts) Stream(s *catalog.Stream) (overview.StreamFacts, bool) {
	r, err := f.a.stream(s.ID)
	if err != nil {
		return overview.StreamFacts{}, false
	}
	out := overview.StreamFacts{
		Events: r.events.Total(), Rejected: heads{f.a}.Rejected(s.ID), Complete: r.complete(),
		EventsPerSecond: r.events.PerSecond(), BytesPerSecond: r.target.Bytes.PerSecond(), RequestsPerSecond: r.target.Requests.PerSecond(),
		RejectedPerSecond: r.rejected.PerSecond(),
	}
	for p := range s.Plan.Partitions {
		out.Heads = append(out.Heads, r.log.acked(p))
	}
	size := r.index.Size()
	out.LakeFiles, out.LakeRows, out.LakeBytes = size.Files, size.Rows, size.Bytes
	if e := r.failure.Load(); e != nil {
		out.Error = *e
	}
	return out, true
}

// View implements overview.Facts.
func (f facts) View(ctx context.Context, v *catalog.View) (overview.ViewFacts, error) {
	var out overview.ViewFacts
	m, err := f.a.publications.Current(ctx, v.ID)
	if err != nil {
		return out, err
	}
	out.Published = m
	if next := f.a.schedule.Next(v.ID); !next.IsZero() {
		out.NextRun = &next
	}
	_, out.Running = f.a.recompute.Running(v.ID)
	r, err := f.a.stream(v.StreamID)
	if err != nil {
		return out, nil // it is being dropped
	}
	out.Complete = true
	now := time.Now()
	at := func(partition int, seq uint64, arrival int64, failure string) {
		head := r.log.acked(partition)
		out.LagMillis = max(out.LagMillis, f.a.lagMillis(seq, head, arrival, now))
		out.Complete = out.Complete && seq >= head
		if failure != "" {
			out.Error = failure
		}
	}
	if v.Board != nil {
		for partition, s := range f.a.boardAt(r, v.ID) {
			at(partition, s.Seq, s.Arrival, s.Error)
		}
	}
	for partition, w := range r.workers {
		s, ok := w.View(v.ID)
		if !ok {
			out.Starting, out.Complete = true, false
			continue
		}
		at(partition, s.Seq, s.Arrival, s.Error)
		out.Stalled = out.Stalled || s.State == worker.Stalled
		out.Starting = out.Starting || s.State == worker.Starting
	}
	return out, nil
}

// lagMillis is how far what reads a partition is behind its head: the age of what it has
// read last. Of one that has read nothing yet it is that of the process.
func (a *Appliance) lagMillis(seq, head uint64, arrival int64, now time.Time) int64 {
	if seq < head && arrival == 0 {
		return now.Sub(a.started).Milliseconds()
	}
	return merge.PartitionAt(0, seq, head, arrival, now).LagMillis
}

// Runs implements overview.Facts.
func (f facts) Runs(ctx context.Context, v *catalog.View) ([]ledger.Run, error) {
	ended, err := f.a.ledger.Runs(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	if running, ok := f.a.recompute.Running(v.ID); ok {
		return append([]ledger.Run{running}, ended...), nil
	}
	return ended, nil
}

// Refused implements overview.Facts.
func (f facts) Refused(ctx context.Context, s *catalog.Stream) (overview.Refused, error) {
	summary, err := f.a.letters.Summarise(ctx, s.ID, decode.Class)
	if err != nil {
		return overview.Refused{}, err
	}
	out := overview.Refused{Letters: summary.Letters, Newest: summary.Newest, Counted: summary.Counted}
	for _, r := range summary.Reasons {
		out.Reasons = append(out.Reasons, overview.RefusedReason{Reason: r.Class, Count: r.Count, Newest: r.Newest})
	}
	return out, nil
}

// Health implements overview.Facts.
func (f facts) Health(ctx context.Context) []overview.Problem { return f.a.partProblems(ctx) }

// Queries implements overview.Facts.
func (f facts) Queries() overview.QueryFacts {
	out := overview.QueryFacts{PerSecond: f.a.queried.meter.PerSecond()}
	if took, ok := f.a.queried.took.Quantile(0.99); ok {
		millis := float64(took.Microseconds()) / 1000
		out.P99Millis = &millis
	}
	return out
}

// queried counts the answers to queries.
type queried struct {
	meter rate.Meter
	took  rate.Durations
}

func (q *queried) observe(took time.Duration) {
	q.meter.Add(1)
	q.took.Observe(took)
}
