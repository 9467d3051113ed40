package appliance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/overview"
	"github.com/millrace/millrace/serving/report"
)

// Status is the answer of GET /v1/status.
type Status struct {
	Version      string            `json:"version"`
	Started      time.Time         `json:"started"`
	Healthy      bool              `json:"healthy"`
	Trouble      string            `json:"trouble,omitempty"`
	EpochSeconds float64           `json:"epoch_seconds"`
	Parts        map[string]string `json:"parts"`
	Pids         map[string]int    `json:"pids,omitempty"` // of the embedded children
	Redis        string            `json:"redis,omitempty"`
	Streams      []StreamStatus    `json:"streams"`
	Views        []ViewStatus      `json:"views"`
	// Reports are there for who may see every stream and view.
	Reports []report.Status `json:"reports,omitempty"`
}

// StreamStatus is the state of one stream.
type StreamStatus struct {
	Name          string            `json:"name"`
	Events        int64             `json:"events"`         // acknowledged since the process started
	Rejected      int64             `json:"rejected"`       // dead letters waiting
	LakeRows      int64             `json:"lake_rows"`      // sealed
	CompleteEpoch *event.Epoch      `json:"complete_epoch"` // sealed by every partition; null: none
	Partitions    []PartitionStatus `json:"partitions"`
	Error         string            `json:"error,omitempty"`
}

// PartitionStatus is the state of one partition.
type PartitionStatus struct {
	Head   uint64 `json:"head"`   // newest entry
	Sealed uint64 `json:"sealed"` // newest entry in a sealed epoch
}

// ViewStatus is the state of one view.
type ViewStatus struct {
	Name       string             `json:"name"`
	Stream     string             `json:"stream"`
	Columns    []ColumnStatus     `json:"columns"`
	Generation uint64             `json:"generation"`
	Cut        *event.Epoch       `json:"cut"` // null: nothing is covered yet
	Published  *time.Time         `json:"published"`
	Drift      *publication.Drift `json:"drift,omitempty"`
	LagMillis  int64              `json:"lag_ms"` // of the speed layer, at worst
	State      string             `json:"state"`
	Error      string             `json:"error,omitempty"`
	Batch      batchState         `json:"batch"`
	// Leaderboard is there for a leaderboard only.
	Leaderboard *BoardStatus `json:"leaderboard,omitempty"`
}

// ColumnStatus is one column of a view.
type ColumnStatus struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Aggregate bool   `json:"aggregate"`
}

// StatusType implements the operator of the HTTP surface.
func (a *Appliance) StatusType() any { return Status{} }

// Status implements the operator of the HTTP surface. Streams and views that the caller
// may not look at are left out, and of the processes only an administrator learns.
func (a *Appliance) Status(ctx context.Context) any {
	s := Status{
		Version: a.o.Version, Started: a.started, EpochSeconds: a.o.Config.Epoch.Seconds(),
		Parts: a.parts(), Pids: map[string]int{}, Streams: []StreamStatus{}, Views: []ViewStatus{},
	}
	caller := access.From(ctx)
	if a.engine != nil && caller.May(access.Manage, "") {
		s.Pids["engine"] = a.engine.Pid()
	}
	if a.queries != nil && a.queries.child != nil && caller.May(access.Manage, "") {
		s.Pids["query_engine"] = a.queries.child.Pid()
	}
	if a.redis != nil && caller.May(access.Manage, "") {
		s.Pids["redis"], s.Redis = a.redis.Pid(), a.redis.URL()
	}
	var trouble []error
	if err := a.Ready(ctx); err != nil {
		trouble = append(trouble, err)
	}
	for _, def := range a.catalog.Streams() {
		r, err := a.stream(def.ID)
		if err != nil {
			continue // created or dropped at this moment
		}
		if caller.May(access.Look, def.Plan.Name) {
			st := a.streamStatus(ctx, r)
			if st.Error != "" {
				trouble = append(trouble, fmt.Errorf("stream %s: %s", st.Name, st.Error))
			}
			s.Streams = append(s.Streams, st)
		}
		for _, v := range a.viewsOf(def.ID) {
			if !caller.May(access.Look, v.Plan.Name) {
				continue
			}
			vs := ViewStatus{Name: v.Plan.Name, Stream: def.Plan.Name, Batch: a.batchState(v.ID)}
			for _, o := range v.Plan.Outputs {
				vs.Columns = append(vs.Columns, ColumnStatus{Name: o.Name, Type: o.Type.String(), Aggregate: o.Agg})
			}
			if m, err := a.publications.Current(ctx, v.ID); err == nil && m != nil {
				vs.Generation, vs.Published, vs.Drift = m.Generation, &m.Created, &m.Drift
				if m.Cut != event.NoEpoch {
					vs.Cut = &m.Cut
				}
			}
			a.speedStatus(r, v.ID, &vs)
			if vs.Error != "" {
				trouble = append(trouble, fmt.Errorf("view %s: %s", vs.Name, vs.Error))
			}
			if vs.Batch.Error != "" {
				trouble = append(trouble, fmt.Errorf("batch %s: %s", vs.Name, vs.Batch.Error))
			}
			if vs.Leaderboard = a.boardStatus(r, v); vs.Leaderboard != nil && vs.Leaderboard.Error != "" {
				trouble = append(trouble, fmt.Errorf("leaderboard %s: %s", vs.Name, vs.Leaderboard.Error))
			}
			s.Views = append(s.Views, vs)
		}
	}
	if caller.May(access.Watch, "") {
		reports, err := a.reports.scheduler.Status(ctx)
		if err != nil {
			trouble = append(trouble, err)
		}
		s.Reports = reports
	}
	if err := errors.Join(trouble...); err != nil {
		s.Trouble = err.Error()
	}
	s.Healthy = len(trouble) == 0
	return s
}

func (a *Appliance) streamStatus(ctx context.Context, r *running) StreamStatus {
	s := StreamStatus{
		Name: r.def.Plan.Name, Events: r.events.Total(), Rejected: heads{a}.Rejected(r.def.ID),
		LakeRows: r.lakeRows(), CompleteEpoch: r.complete(),
	}
	for p := range r.def.Plan.Partitions {
		var st PartitionStatus
		head, err := r.log.Head(ctx, p)
		if err != nil {
			s.Error = err.Error()
		}
		st.Head = head
		if last, ok := r.index.Last(p); ok {
			st.Sealed = last.LastSeq
		}
		s.Partitions = append(s.Partitions, st)
	}
	if f := r.failure.Load(); f != nil {
		s.Error = *f
	}
	return s
}

// speedStatus fills in where the view stands in the partition that is furthest behind.
func (a *Appliance) speedStatus(r *running, viewID string, vs *ViewStatus) {
	for _, w := range r.workers {
		for _, s := range w.Status() {
			if s.View != viewID {
				continue
			}
			vs.LagMillis = max(vs.LagMillis, s.Lag.Milliseconds())
			if vs.State == "" || s.Error != "" {
				vs.State, vs.Error = string(s.State), s.Error
			}
		}
	}
}

// parts says what each part is.
func (a *Appliance) parts() map[string]string {
	parts := map[string]string{"lake": "local disk", "stream": "embedded nats-server", "clickhouse": "external", "redis": "external"}
	if a.o.Config.StreamURL != "" {
		parts["stream"] = "external NATS"
	}
	if a.engine != nil {
		parts["clickhouse"] = "embedded engine"
	}
	parts["query_engine"] = a.queries.part()
	if a.redis != nil {
		parts["redis"] = "embedded " + string(a.redis.Kind())
	}
	return parts
}

// readyTimeout bounds the check of one part.
const readyTimeout = 2 * time.Second

// check asks one part whether it answers.
type check struct {
	part string
	ask  func(ctx context.Context) error
}

// checks are those of all parts that answers need.
func (a *Appliance) checks() []check {
	checks := []check{{"clickhouse", a.clickhouseReady}, {"redis", a.redisReady}}
	if a.queries != nil {
		checks = append(checks, check{"query_engine", a.queryEngineReady})
	}
	return checks
}

// partProblems asks all parts, side by side, and returns what is wrong with them.
func (a *Appliance) partProblems(ctx context.Context) []overview.Problem {
	checks := a.checks()
	failed := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { failed[i] = c.ask(ctx) })
	}
	wg.Wait()
	var problems []overview.Problem
	for i, err := range failed {
		if err != nil {
			problems = append(problems, overview.Problem{Part: checks[i].part, Detail: err.Error()})
		}
	}
	return problems
}

// Ready returns nil where every part answers.
func (a *Appliance) Ready(ctx context.Context) error {
	var errs []error
	for _, p := range a.partProblems(ctx) {
		errs = append(errs, errors.New(p.Detail))
	}
	return errors.Join(errs...)
}

// layersReady returns nil where the parts answer that views are made of.
func (a *Appliance) layersReady(ctx context.Context) error {
	return errors.Join(a.clickhouseReady(ctx), a.redisReady(ctx))
}

func (a *Appliance) clickhouseReady(ctx context.Context) error {
	return answers(ctx, "ClickHouse", a.clickhouse.Ping)
}

func (a *Appliance) queryEngineReady(ctx context.Context) error {
	return answers(ctx, "the query engine", a.queries.parser.Ping)
}

func (a *Appliance) redisReady(ctx context.Context) error {
	return answers(ctx, "Redis", func(ctx context.Context) error { return a.speed.Client().Ping(ctx).Err() })
}

// answers gives a part a moment to answer.
func answers(ctx context.Context, part string, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := ping(ctx); err != nil {
		return fmt.Errorf("%s does not answer: %w", part, err)
	}
	return nil
}

// unlessStalled returns 503 where a part that a job needs does not answer. A job has no
// time limit, as a rebuild may take long; one that began on a stalled part would hang
// until that part goes on, and every definition behind it.
func (a *Appliance) unlessStalled(ctx context.Context, ready func(context.Context) error) error {
	err := ready(ctx)
	if err == nil {
		return nil
	}
	a.o.Log.Warn("refuse a job, as a part does not answer", "error", err)
	return problem.Busy("ClickHouse or Redis does not answer at the moment; nothing was changed", readyTimeout)
}
