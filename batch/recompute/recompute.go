// Package recompute runs the batch layer's jobs: ClickHouse recomputes the changed event
// days of a view from the sealed lake into a new generation, which is then published.
//
// The one invariant: a generation is the view over exactly the events of the epochs up
// to its cut. What is not in the manifest is not there: a run that dies leaves rows that
// nobody reads, and the next run removes them.
package recompute

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/lake/seal"
)

// Engine runs SQL.
type Engine interface {
	Exec(ctx context.Context, query string) error
	QueryBatch(ctx context.Context, query string) (*event.Batch, error)
}

// Speed counts what the speed layer holds, for the drift report.
type Speed interface {
	// CountEvents returns the events of the epochs (from, to], and whether the speed layer
	// holds these epochs whole.
	CountEvents(ctx context.Context, id string, view *plan.View, from, to event.Epoch) (events int64, comparable bool, err error)
}

// Options are the parts of a Runner.
type Options struct {
	Engine       Engine
	Publications *publication.Authority
	Ledger       *ledger.Ledger
	Speed        Speed
	// TableName names the batch table of a view, unquoted.
	TableName func(viewID string) string
	// Files returns the rows of lake files as a table expression of the engine.
	Files   func(files []seal.File, schema *event.Schema) string
	Grace   time.Duration // how long superseded generations stay for queries under way
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: not counted
}

// Runner runs jobs. It is safe for concurrent use; the jobs of one view run one after
// another.
type Runner struct {
	o       Options
	runs    *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	drifted *prometheus.GaugeVec

	mu      sync.Mutex
	views   map[string]*state     // by view id
	running map[string]ledger.Run // by view id
}

// state is what the runner remembers of a view.
type state struct {
	running chan struct{} // holds one token while a job of the view runs
	// unread are the partitions that no manifest names, and since when that is known.
	// Only the job that runs touches it.
	unread map[part]time.Time
}

// New returns a runner.
func New(o Options) *Runner {
	r := &Runner{
		o: o, views: map[string]*state{}, running: map[string]ledger.Run{},
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_batch_runs_total", Help: "Batch runs by view and outcome.",
		}, []string{"view", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_batch_run_seconds", Help: "Time of a batch run, by view.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 18),
		}, []string{"view"}),
		drifted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "millrace_batch_drift_events", Help: "Events that batch counted more than speed in the epochs of the last run that compared them; anything but 0 is a defect.",
		}, []string{"view"}),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(r.runs, r.seconds, r.drifted)
	}
	return r
}

// lock waits for the view's turn; unlock ends it.
func (r *Runner) lock(ctx context.Context, view string) (s *state, unlock func(), err error) {
	r.mu.Lock()
	s, ok := r.views[view]
	if !ok {
		s = &state{running: make(chan struct{}, 1), unread: map[part]time.Time{}}
		r.views[view] = s
	}
	r.mu.Unlock()
	select {
	case s.running <- struct{}{}:
		return s, func() { <-s.running }, nil
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for the job that runs: %w", ctx.Err())
	}
}

// Run takes over the epochs that the lake has completed since the view's cut: it
// recomputes the event days that they touch, or every day where whole is set, and
// publishes. It returns what is published then; where there is nothing new and not
// whole, the old manifest. A job of the view that runs already is waited for.
func (r *Runner) Run(ctx context.Context, v *catalog.View, lake *seal.Index, whole bool) (*publication.Manifest, error) {
	_, unlock, err := r.lock(ctx, v.ID)
	if err != nil {
		return nil, fmt.Errorf("batch run of view %s: %w", v.Plan.Name, err)
	}
	defer unlock()
	old, err := r.o.Publications.Current(ctx, v.ID)
	if err != nil {
		return nil, fmt.Errorf("batch run of view %s: %w", v.Plan.Name, err)
	}
	record := ledger.Run{Kind: ledger.Batch, State: ledger.Running, Started: time.Now().UTC()}
	switch {
	case old == nil:
		record.Kind = ledger.Backfill
		old, whole = &publication.Manifest{View: v.ID, Cut: event.NoEpoch}, true
	case whole:
		record.Kind = ledger.Rebuild
	}
	r.begin(v, record)
	m, err := r.run(ctx, v, lake, old, whole, &record)
	if err != nil {
		err = fmt.Errorf("batch run of view %s: %w", v.Plan.Name, err)
	}
	r.end(ctx, v, record, err)
	return m, err
}

// begin shows a run as one that runs.
func (r *Runner) begin(v *catalog.View, record ledger.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[v.ID] = record
}

// end counts a run and enters it in the ledger, unless there was nothing to do.
func (r *Runner) end(ctx context.Context, v *catalog.View, record ledger.Run, err error) {
	r.mu.Lock()
	delete(r.running, v.ID)
	r.mu.Unlock()
	record.Finished = time.Now().UTC()
	outcome := "published"
	switch {
	case err != nil && ctx.Err() != nil:
		outcome, record.State = "cancelled", ledger.Cancelled
	case err != nil:
		outcome, record.State, record.Error = "failed", ledger.Failed, err.Error()
	case record.Generation == 0:
		outcome = "unchanged"
	default:
		record.State = ledger.Published
	}
	r.runs.WithLabelValues(v.Plan.Name, outcome).Inc()
	r.seconds.WithLabelValues(v.Plan.Name).Observe(record.Finished.Sub(record.Started).Seconds())
	if outcome == "unchanged" {
		return
	}
	if record.Drift.Comparable {
		r.drifted.WithLabelValues(v.Plan.Name).Set(float64(record.Drift.Batch - record.Drift.Speed))
	}
	if err := r.o.Ledger.Add(context.WithoutCancel(ctx), v.ID, record); err != nil {
		r.o.Log.Warn("enter a batch run in the ledger; it is written with the next", "view", v.Plan.Name, "error", err)
	}
}

// Running returns the run of a view that is under way, and whether there is one.
func (r *Runner) Running(view string) (ledger.Run, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok := r.running[view]
	return record, ok
}

// run does the work of Run after what is published, and says in record what it did.
func (r *Runner) run(ctx context.Context, v *catalog.View, lake *seal.Index, old *publication.Manifest, whole bool, record *ledger.Run) (*publication.Manifest, error) {
	cut := lake.Complete()
	if cut <= old.Cut && !whole {
		return old, nil
	}
	if cut < old.Cut {
		return nil, fmt.Errorf("the lake is complete up to epoch %d, before the published cut %d", cut, old.Cut)
	}
	if err := r.prepare(ctx, v, old); err != nil {
		return nil, err
	}
	if !whole { // what is kept of the old generations must be there
		if err := r.repair(ctx, v, lake, old, r.missing); err != nil {
			return nil, err
		}
	}
	from := event.NoEpoch
	if !whole {
		from = old.Cut + 1
	}
	keep := firstDay(v.Plan.TTL)
	days := slices.DeleteFunc(lake.Days(from, cut), func(d int32) bool { return d < keep })
	record.Days = len(days)
	m := &publication.Manifest{
		View: v.ID, Generation: old.Generation + 1, Cut: cut, Days: map[int32]publication.Day{},
		Positions: positions(v, lake, cut),
	}
	if !whole {
		maps.Copy(m.Days, old.Days)
		maps.DeleteFunc(m.Days, func(d int32, _ publication.Day) bool { return d < keep })
	}
	if err := r.compute(ctx, v, lake, m, days); err != nil {
		return nil, err
	}
	for _, d := range m.Days {
		m.Rows += d.Groups
	}
	r.drift(ctx, v, old, m)
	m.Created = time.Now().UTC() // the grace of what it supersedes counts from here
	if err := r.o.Publications.Publish(ctx, m); err != nil {
		return nil, err
	}
	record.Generation, record.Cut, record.Rows, record.Drift = m.Generation, m.Cut, m.Rows, m.Drift
	return m, nil
}

// compute recomputes days at the manifest's cut into its generation, and enters them in
// it. Days without a row are not in it.
func (r *Runner) compute(ctx context.Context, v *catalog.View, lake *seal.Index, m *publication.Manifest, days []int32) error {
	if len(days) == 0 {
		return nil
	}
	pin := lake.Pin() // compaction must not delete the files meanwhile
	defer pin.Release()
	if err := checkCut(lake, m.Cut); err != nil {
		return err
	}
	files := lake.Files(event.NoEpoch, m.Cut, days)
	if err := r.checkFiles(ctx, v, files); err != nil {
		return err
	}
	from := r.o.Files(files, v.Plan.Stream.Schema)
	if err := r.o.Engine.Exec(ctx, v.Plan.RecomputeSQL(r.o.TableName(v.ID), m.Generation, from, days)); err != nil {
		return fmt.Errorf("recompute %d days into generation %d: %w", len(days), m.Generation, err)
	}
	computed, err := r.stats(ctx, v, fmt.Sprintf("_generation = %d", m.Generation))
	if err != nil {
		return err
	}
	for _, d := range days {
		if day, ok := computed[part{d, m.Generation}]; ok {
			m.Days[d] = day
		} else {
			delete(m.Days, d)
		}
	}
	return nil
}

// checkCut refuses a lake in which a file has events of both sides of the cut, since
// files are read whole. Compaction stays under the cuts of all views.
func checkCut(lake *seal.Index, cut event.Epoch) error {
	for p := range lake.Partitions() {
		seals := lake.Seals(p)
		i := sort.Search(len(seals), func(i int) bool { return seals[i].To >= cut })
		if i < len(seals) && seals[i].From <= cut && !seals[i].LastEpoch.CoveredBy(cut) {
			return fmt.Errorf("the files of epochs %d to %d of partition %d were compacted over the cut %d", seals[i].From, seals[i].To, p, cut)
		}
	}
	return nil
}

// checkFiles compares the rows that the engine finds in the files, by their footers, with
// those that the seals promise.
func (r *Runner) checkFiles(ctx context.Context, v *catalog.View, files []seal.File) error {
	var want int64
	for _, f := range files {
		want += f.Rows
	}
	b, err := r.o.Engine.QueryBatch(ctx, "SELECT count() FROM "+r.o.Files(files, v.Plan.Stream.Schema))
	if err != nil {
		return fmt.Errorf("count rows of %d lake files: %w", len(files), err)
	}
	if got := int64(b.Columns[0].U64[0]); got != want {
		return fmt.Errorf("the lake's files hold %d rows, their seals say %d: nothing is published", got, want)
	}
	return nil
}

// drift compares what batch and speed counted of the epochs that the run takes over.
func (r *Runner) drift(ctx context.Context, v *catalog.View, old, m *publication.Manifest) {
	m.Drift = publication.Drift{From: old.Cut, To: m.Cut, Batch: events(m) - events(old)}
	// Days that fell out by their ttl are a difference of their own.
	keep := firstDay(v.Plan.TTL)
	for day, d := range old.Days {
		if day < keep {
			m.Drift.Batch += d.Events
		}
	}
	if old.Generation == 0 {
		return // there was no speed layer to compare with
	}
	n, comparable, err := r.o.Speed.CountEvents(ctx, v.ID, v.Plan, old.Cut, m.Cut)
	if err != nil {
		r.o.Log.Warn("compare with the speed layer", "view", v.Plan.Name, "error", err)
		return
	}
	m.Drift.Speed, m.Drift.Comparable = n, comparable && v.Plan.TTL == 0
	if m.Drift.Comparable && m.Drift.Speed != m.Drift.Batch {
		r.o.Log.Error("defect: batch and speed differ", "view", v.Plan.Name, "batch", m.Drift.Batch, "speed", n, "from", old.Cut, "to", m.Cut)
	}
}

func events(m *publication.Manifest) (n int64) {
	for _, d := range m.Days {
		n += d.Events
	}
	return n
}

// positions says where the epochs after the cut begin in each partition's log.
func positions(v *catalog.View, lake *seal.Index, cut event.Epoch) []publication.CutPosition {
	at := make([]publication.CutPosition, v.Plan.Stream.Partitions)
	for p := range at {
		if s, ok := lake.At(p, cut); ok {
			at[p] = publication.CutPosition{Seq: s.LastSeq, Arrival: s.Arrival}
		}
	}
	return at
}

// firstDay is the first event day that a ttl keeps.
func firstDay(ttl time.Duration) int32 {
	if ttl <= 0 {
		return math.MinInt32
	}
	return int32(event.FloorDiv(time.Now().Add(-ttl).Unix(), secondsPerDay))
}

const secondsPerDay = 86400
