package appliance

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/batch/recompute"
	"github.com/millrace/millrace/batch/schedule"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/lake/parquetfile"
	"github.com/millrace/millrace/lake/seal"
	"github.com/millrace/millrace/serving/httpapi"
	"github.com/millrace/millrace/speed/redisview"
	"github.com/millrace/millrace/speed/worker"
)

// batchState is the last batch run of a view and its next time.
type batchState struct {
	Last    *time.Time `json:"last"`
	Seconds float64    `json:"seconds"`
	Error   string     `json:"error,omitempty"`
	Next    *time.Time `json:"next"`
}

// tableName is the name of a view's batch table.
func tableName(viewID string) string { return "mr_view_" + viewID }

// startBatch makes what runs batch jobs.
func (a *Appliance) startBatch() {
	a.ledger = ledger.Open(a.store)
	a.recompute = recompute.New(recompute.Options{
		Engine: a.clickhouse, Publications: a.publications, Ledger: a.ledger, Speed: speedCounter{a.speed}, TableName: tableName,
		Files: func(files []seal.File, schema *event.Schema) string { return a.filesExpr(files, schema) },
		Grace: a.o.Config.Grace, Log: a.o.Log, Metrics: a.metrics.registry,
	})
	a.schedule = schedule.Start(a.o.Log)
}

// filesExpr is a table expression over lake files.
func (a *Appliance) filesExpr(files []seal.File, schema *event.Schema) string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = a.enginePath(f.Name)
	}
	return parquetfile.TableExpr(paths, schema)
}

// enginePath is where the engine finds an object of the lake. An external server may see
// the lake under another path.
func (a *Appliance) enginePath(name string) string {
	if seen := a.o.Config.ClickHouseLakePath; seen != "" {
		return strings.TrimRight(seen, "/") + "/" + name
	}
	return a.store.URL(name)
}

// speedCounter counts the speed layer's events for the drift report.
type speedCounter struct{ store *redisview.Store }

// CountEvents implements recompute.Speed.
func (c speedCounter) CountEvents(ctx context.Context, id string, view *plan.View, from, to event.Epoch) (int64, bool, error) {
	return worker.CountEvents(ctx, c.store, id, view, from, to)
}

// publishFirst publishes a view's history, or checks what is published.
func (a *Appliance) publishFirst(ctx context.Context, r *running, v *catalog.View) error {
	m, err := a.publications.Current(ctx, v.ID)
	if err != nil {
		return err
	}
	if m != nil {
		return a.recompute.Verify(ctx, v, r.index)
	}
	_, err = a.runBatch(ctx, r, v, true)
	return err
}

// scheduleView puts a view's batch job on its schedule.
func (a *Appliance) scheduleView(v *catalog.View) error {
	return a.schedule.Add(v.ID, v.Plan.Cron, func(ctx context.Context) error {
		r, err := a.stream(v.StreamID)
		if err != nil {
			return err
		}
		_, err = a.runBatch(ctx, r, v, false)
		return err
	})
}

// runBatch runs a view's job and keeps its outcome for the status.
func (a *Appliance) runBatch(ctx context.Context, r *running, v *catalog.View, whole bool) (*publication.Manifest, error) {
	start := time.Now()
	m, err := a.recompute.Run(ctx, v, r.index, whole)
	s := batchState{Last: &start, Seconds: time.Since(start).Seconds()}
	if err != nil {
		s.Error = err.Error()
	}
	a.mu.Lock()
	a.batches[v.ID] = s
	a.mu.Unlock()
	return m, err
}

func (a *Appliance) batchState(viewID string) batchState {
	a.mu.RLock()
	s := a.batches[viewID]
	a.mu.RUnlock()
	if next := a.schedule.Next(viewID); !next.IsZero() {
		s.Next = &next
	}
	return s
}

// RunBatch implements the operator of the HTTP surface.
func (a *Appliance) RunBatch(ctx context.Context, name string, rebuild bool) (httpapi.BatchResult, error) {
	v, err := a.catalog.View(name)
	if err != nil {
		return httpapi.BatchResult{}, err
	}
	r, err := a.stream(v.StreamID)
	if err != nil {
		return httpapi.BatchResult{}, err
	}
	if err := a.unlessStalled(ctx, a.clickhouseReady); err != nil {
		return httpapi.BatchResult{}, err
	}
	m, err := a.runBatch(ctx, r, v, rebuild)
	if err != nil {
		return httpapi.BatchResult{}, err
	}
	return httpapi.BatchResult{Generation: m.Generation, Cut: int64(m.Cut), Rows: m.Rows, Drift: m.Drift}, nil
}

// publishedCut is a cut and when it was published.
type publishedCut struct {
	cut  event.Epoch
	when time.Time
}

// superseded are the cuts of a view under which Redis still holds epochs.
type superseded struct {
	newest  event.Epoch    // the last one seen
	waiting []publishedCut // until their grace is over, oldest first
}

// collect removes what publications have superseded: days of old generations in
// ClickHouse, and epochs under the cut in Redis, each once its grace is over. It is
// called by the stream's maintenance alone, which keeps the cuts it has seen.
func (a *Appliance) collect(ctx context.Context, r *running) error {
	var errs []error
	for _, v := range a.viewsOf(r.def.ID) {
		if _, err := a.recompute.Collect(ctx, v); err != nil {
			errs = append(errs, err)
		}
		m, err := a.publications.Current(ctx, v.ID)
		if err != nil || m == nil {
			errs = append(errs, err)
			continue
		}
		cuts, ok := r.cuts[v.ID]
		if !ok {
			cuts = &superseded{newest: event.NoEpoch}
			r.cuts[v.ID] = cuts
		}
		if cuts.newest != m.Cut {
			cuts.newest = m.Cut
			cuts.waiting = append(cuts.waiting, publishedCut{m.Cut, m.Created})
		}
		// No query reads before the newest cut that has been published for the grace.
		for len(cuts.waiting) > 0 && time.Since(cuts.waiting[0].when) >= a.o.Config.Grace {
			through := cuts.waiting[0].cut
			if err := a.deleteThrough(ctx, r, v, through); err != nil {
				errs = append(errs, err)
				break
			}
			cuts.waiting = cuts.waiting[1:]
		}
	}
	return errors.Join(errs...)
}

// deleteThrough removes the epochs at or under a cut from Redis.
func (a *Appliance) deleteThrough(ctx context.Context, r *running, v *catalog.View, cut event.Epoch) error {
	for partition := range r.def.Plan.Partitions {
		if err := a.speed.DeleteThrough(ctx, v.ID, partition, cut); err != nil {
			return err
		}
	}
	return nil
}
