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
		Events: r.events.Total(), Rejected: heads(f).Rejected(s.ID), Complete: r.complete(),
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
	if r, err := f.a.stream(v.StreamID); err == nil { // else it is being dropped
		f.a.addStandings(&out, r, v)
	}
	return out, nil
}

// addStandings says of a view how the one that has come least far does.
func (a *Appliance) addStandings(out *overview.ViewFacts, r *running, v *catalog.View) {
	out.Complete = true
	now := time.Now()
	for _, at := range a.standings(r, v) {
		out.LagMillis = max(out.LagMillis, a.lagMillis(at, now))
		out.Complete = out.Complete && at.seq >= at.head
		out.Stalled = out.Stalled || at.state == worker.Stalled
		out.Starting = out.Starting || at.state == worker.Starting
		if at.err != "" {
			out.Error = at.err
		}
	}
}

// standing is how far what keeps a view or leaderboard has come in one partition.
type standing struct {
	partition int
	seq, head uint64 // newest entry that it holds, and that there is
	arrival   int64  // of entry seq, ns; 0: it holds none
	state     worker.State
	err       string
}

// standings are those of a view's worker in each partition, and of its leaderboard's.
func (a *Appliance) standings(r *running, v *catalog.View) []standing {
	var out []standing
	for partition, w := range r.workers {
		s, ok := w.View(v.ID)
		if !ok {
			s.State = worker.Starting // it is being added or removed at this moment
		}
		out = append(out, standing{partition, s.Seq, r.log.acked(partition), s.Arrival, s.State, s.Error})
	}
	for partition, s := range a.boardAt(r, v.ID) {
		out = append(out, standing{partition, s.Seq, r.log.acked(partition), s.Arrival, worker.Running, s.Error})
	}
	return out
}

// lagMillis is the age of the newest entry that is held, where there is a newer one. Of
// what holds none yet it is that of the process.
func (a *Appliance) lagMillis(at standing, now time.Time) int64 {
	if at.seq < at.head && at.arrival == 0 {
		return now.Sub(a.started).Milliseconds()
	}
	return merge.PartitionAt(at.partition, at.seq, at.head, at.arrival, now).LagMillis
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
