package overview

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/live"
)

const (
	// pulseEvery is how often a pulse is reckoned.
	pulseEvery = time.Second
	// healthEvery is how often the parts are asked at most, whoever listens: it is a round
	// trip to each of them.
	healthEvery = 900 * time.Millisecond
)

// Pulse is how everything does at one moment, as far as the caller may look at it.
type Pulse struct {
	At           time.Time    `json:"at"`
	Version      string       `json:"version"`
	UptimeMillis int64        `json:"uptime_ms"`
	Healthy      bool         `json:"healthy" jsonschema:"there are no problems"`
	Problems     []Problem    `json:"problems"`
	Steps        Steps        `json:"steps" jsonschema:"the way of an event, summed over what the caller may look at"`
	Streams      []StreamBeat `json:"streams"`
	Views        []ViewBeat   `json:"views"`
	Boards       []ViewBeat   `json:"boards" jsonschema:"the leaderboards"`
}

// Steps are the way of an event.
type Steps struct {
	Ingest  IngestStep   `json:"ingest"`
	Log     LogStep      `json:"log"`
	Speed   SpeedStep    `json:"speed"`
	Lake    LakeStep     `json:"lake"`
	Batch   BatchStep    `json:"batch"`
	Serving *ServingStep `json:"serving" jsonschema:"null for who may not see figures of every view at once"`
}

// IngestStep is what comes in; rates are over the last five seconds.
type IngestStep struct {
	Events            int64   `json:"events" jsonschema:"acknowledged since the server started"`
	EventsPerSecond   float64 `json:"events_per_s"`
	BytesPerSecond    float64 `json:"bytes_per_s"`
	RequestsPerSecond float64 `json:"requests_per_s"`
	Rejected          int64   `json:"rejected" jsonschema:"dead letters that wait"`
	RejectedPerSecond float64 `json:"rejected_per_s"`
}

// LogStep is the streams' logs.
type LogStep struct {
	Partitions int    `json:"partitions"`
	Entries    uint64 `json:"entries" jsonschema:"ever appended"`
}

// SpeedStep is the speed layer.
type SpeedStep struct {
	Views     int   `json:"views" jsonschema:"views and leaderboards that it keeps"`
	LagMillis int64 `json:"lag_ms" jsonschema:"of the one that is furthest behind"`
	Behind    int   `json:"behind" jsonschema:"how many lack something that was acknowledged"`
}

// LakeStep is the lake.
type LakeStep struct {
	Epoch     *event.Epoch `json:"epoch" jsonschema:"the newest that is whole in every stream; null: none"`
	LagMillis *int64       `json:"lag_ms" jsonschema:"since that epoch ended; null: none"`
	Files     int          `json:"files"`
	Rows      int64        `json:"rows"`
	Bytes     int64        `json:"bytes"`
}

// BatchStep is the batch layer.
type BatchStep struct {
	Running  int        `json:"running" jsonschema:"runs under way"`
	LastRun  *time.Time `json:"last_run" jsonschema:"when the newest run that ended began"`
	NextRun  *time.Time `json:"next_run"`
	Failures int        `json:"failures" jsonschema:"views and leaderboards whose last run failed"`
	Drifting int        `json:"drifting" jsonschema:"views and leaderboards in whose last run batch and speed differed: a defect"`
}

// ServingStep is what is answered.
type ServingStep struct {
	QueriesPerSecond float64  `json:"queries_per_s"`
	P99Millis        *float64 `json:"p99_ms" jsonschema:"of the last minute; null: nothing was asked"`
	Streams          int      `json:"streams" jsonschema:"live streams that are open, this one among them"`
}

// StreamBeat is how a stream does.
type StreamBeat struct {
	Name              string  `json:"name"`
	Events            int64   `json:"events"`
	EventsPerSecond   float64 `json:"events_per_s"`
	Rejected          int64   `json:"rejected"`
	RejectedPerSecond float64 `json:"rejected_per_s"`
	LakeRows          int64   `json:"lake_rows"`
	LagMillis         int64   `json:"lag_ms" jsonschema:"of the view over it that is furthest behind"`
}

// ViewBeat is how a view or leaderboard does.
type ViewBeat struct {
	Name       string       `json:"name"`
	Stream     string       `json:"stream"`
	Generation uint64       `json:"generation"`
	Cut        *event.Epoch `json:"cut"`
	CutTime    *time.Time   `json:"cut_time"`
	LagMillis  int64        `json:"lag_ms"`
	Complete   bool         `json:"complete" jsonschema:"everything acknowledged is in its answers"`
	NextRun    *time.Time   `json:"next_run"`
	Running    bool         `json:"running" jsonschema:"a batch run is under way"`
	State      string       `json:"state" jsonschema:"ready, backfilling, starting or stalled"`
}

// LiveRoute is the route of the pulse.
func (o *Overview) LiveRoute(hub *live.Hub) route.Route {
	return route.Route{Method: http.MethodGet, Path: "/v1/live", Right: access.Look, Doc: pulseDoc, Handler: o.failing(func(w http.ResponseWriter, r *http.Request) error {
		if err := known(r); err != nil {
			return err
		}
		caller := access.From(r.Context())
		return hub.Serve(w, r, live.Question{
			Key: "pulse\x00" + sees(caller), Event: "pulse", Every: pulseEvery,
			Ask: func(ctx context.Context) ([]byte, error) {
				pulse, err := o.pulse(ctx, caller, hub.Streams())
				if err != nil {
					return nil, err
				}
				return json.Marshal(pulse)
			},
		})
	})}
}

// sees names what a caller sees: callers of one name share a pulse.
func sees(p access.Principal) string {
	all := p.May(access.Watch, "")
	if all || p.Objects == nil {
		return string(p.Role)
	}
	objects := slices.Clone(p.Objects)
	slices.Sort(objects)
	return string(p.Role) + "\x00" + strings.Join(objects, "\x00")
}

// pulse looks at everything that a caller may look at.
func (o *Overview) pulse(ctx context.Context, caller access.Principal, open int) (*Pulse, error) {
	now := time.Now().UTC()
	p := &Pulse{
		At: now, Version: o.o.Version, UptimeMillis: now.Sub(o.o.Started).Milliseconds(),
		Problems: slices.Clone(o.health(ctx)), Streams: []StreamBeat{}, Views: []ViewBeat{}, Boards: []ViewBeat{},
	}
	lag := map[string]int64{} // of the views over a stream, by its id
	for _, v := range o.viewsOf(caller) {
		beat, err := o.viewBeat(ctx, p, v)
		if err != nil {
			return nil, err
		}
		lag[v.StreamID] = max(lag[v.StreamID], beat.LagMillis)
		if v.Board != nil {
			p.Boards = append(p.Boards, beat)
		} else {
			p.Views = append(p.Views, beat)
		}
	}
	for _, s := range o.streamsOf(caller) {
		if facts, ok := o.o.Facts.Stream(s); ok {
			p.addStream(s, facts, lag[s.ID])
		}
	}
	if e := p.Steps.Lake.Epoch; e != nil {
		behind := now.Sub(*o.endOf(*e)).Milliseconds()
		p.Steps.Lake.LagMillis = &behind
	}
	if caller.May(access.Watch, "") {
		q := o.o.Facts.Queries()
		p.Steps.Serving = &ServingStep{QueriesPerSecond: q.PerSecond, P99Millis: q.P99Millis, Streams: open}
	}
	p.Healthy = len(p.Problems) == 0
	if p.Problems == nil {
		p.Problems = []Problem{}
	}
	return p, nil
}

// viewBeat looks at a view and adds it to the steps.
func (o *Overview) viewBeat(ctx context.Context, p *Pulse, v *catalog.View) (ViewBeat, error) {
	facts, err := o.o.Facts.View(ctx, v)
	if err != nil {
		return ViewBeat{}, err
	}
	beat := ViewBeat{
		Name: v.Plan.Name, Stream: v.Plan.Stream.Name, LagMillis: facts.LagMillis, Complete: facts.Complete, NextRun: facts.NextRun, Running: facts.Running, State: state(facts),
	}
	beat.Generation, beat.Cut, beat.CutTime = o.published(facts.Published)
	speed, batch := &p.Steps.Speed, &p.Steps.Batch
	speed.Views++
	speed.LagMillis = max(speed.LagMillis, facts.LagMillis)
	if !facts.Complete {
		speed.Behind++
	}
	kind := "view "
	if v.Board != nil {
		kind = "leaderboard "
	}
	if facts.Error != "" {
		p.Problems = append(p.Problems, Problem{kind + beat.Name, facts.Error})
	}
	if facts.Running {
		batch.Running++
	}
	if facts.NextRun != nil && (batch.NextRun == nil || facts.NextRun.Before(*batch.NextRun)) {
		batch.NextRun = facts.NextRun
	}
	runs, err := o.o.Facts.Runs(ctx, v)
	if err != nil {
		return beat, err
	}
	if r, ok := ledger.Newest(runs); ok {
		if batch.LastRun == nil || r.Started.After(*batch.LastRun) {
			batch.LastRun = &r.Started
		}
		if r.State == ledger.Failed {
			batch.Failures++
			p.Problems = append(p.Problems, Problem{"batch " + beat.Name, r.Error})
		}
		if r.Drift.Comparable && r.Drift.Batch != r.Drift.Speed {
			batch.Drifting++
			p.Problems = append(p.Problems, Problem{"batch " + beat.Name, fmt.Sprintf("batch and speed differ: %d and %d events in the epochs that the last run took over", r.Drift.Batch, r.Drift.Speed)})
		}
	}
	return beat, nil
}

// addStream adds a stream to the steps and to the list.
func (p *Pulse) addStream(s *catalog.Stream, f StreamFacts, lag int64) {
	p.Streams = append(p.Streams, StreamBeat{
		Name: s.Plan.Name, Events: f.Events, EventsPerSecond: f.EventsPerSecond, Rejected: f.Rejected, RejectedPerSecond: f.RejectedPerSecond, LakeRows: f.LakeRows, LagMillis: lag,
	})
	in := &p.Steps.Ingest
	in.Events += f.Events
	in.EventsPerSecond += f.EventsPerSecond
	in.BytesPerSecond += f.BytesPerSecond
	in.RequestsPerSecond += f.RequestsPerSecond
	in.Rejected += f.Rejected
	in.RejectedPerSecond += f.RejectedPerSecond
	p.Steps.Log.Partitions += len(f.Heads)
	for _, head := range f.Heads {
		p.Steps.Log.Entries += head
	}
	lake := &p.Steps.Lake
	lake.Files += f.LakeFiles
	lake.Rows += f.LakeRows
	lake.Bytes += f.LakeBytes
	if len(p.Streams) == 1 || f.Complete == nil || lake.Epoch != nil && *f.Complete < *lake.Epoch {
		lake.Epoch = f.Complete
	}
	if f.Error != "" {
		p.Problems = append(p.Problems, Problem{"stream " + s.Plan.Name, f.Error})
	}
}

// health is what is wrong with the parts, as they were a moment ago. The check goes on
// where the listener that began it leaves: others wait for it.
func (o *Overview) health(ctx context.Context) []Problem {
	o.checking.Lock()
	defer o.checking.Unlock()
	if time.Since(o.checked) >= healthEvery {
		o.problems = o.o.Facts.Health(context.WithoutCancel(ctx))
		o.checked = time.Now()
	}
	return o.problems
}

// healthMemo is the last check of the parts.
type healthMemo struct {
	checking sync.Mutex
	checked  time.Time
	problems []Problem
}

var pulseDoc = route.Doc{
	ID: "watchPulse", Tag: "state", Summary: "How everything does, about every second",
	About: "A stream of server-sent events: event `pulse` at once and then about every second. Streams, views and leaderboards that the token may not look at are in no list, sum or problem. " +
		"Where too many streams are open, the response is 429 and no stream.",
	Replies: []route.Reply{{Status: http.StatusOK, Types: []string{live.ContentType}, Value: Pulse{}, About: "events"}},
	Errors:  []int{http.StatusBadRequest, http.StatusServiceUnavailable},
}
