package overview

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

// Column is one column of a stream.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type" jsonschema:"in ClickHouse's terms"`
}

// Stream describes a stream.
type Stream struct {
	Name        string   `json:"name"`
	SQL         string   `json:"sql"` // the statement that makes it
	Columns     []Column `json:"columns"`
	EventTime   string   `json:"event_time"` // its column
	PartitionBy []string `json:"partition_by,omitempty"`
	Partitions  int      `json:"partitions"`
	Retention   string   `json:"retention" jsonschema:"how long its log is kept at least; the lake has its own ttl"`
	DedupeKey   []string `json:"dedupe_key,omitempty"`
	Events      int64    `json:"events" jsonschema:"acknowledged since the server started"`
	LakeRows    int64    `json:"lake_rows" jsonschema:"sealed in the lake, ever"`
	Rejected    int64    `json:"rejected" jsonschema:"dead letters that wait"`
	Head        []uint64 `json:"head" jsonschema:"newest entry of each partition"`
}

// StreamList is the answer of GET /v1/streams.
type StreamList struct {
	Streams []Stream `json:"streams"`
}

func (o *Overview) streams(r *http.Request) (any, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	out := StreamList{Streams: []Stream{}}
	for _, s := range o.streamsOf(access.From(r.Context())) {
		facts, ok := o.o.Facts.Stream(s)
		if !ok {
			continue
		}
		made := Stream{
			Name: s.Plan.Name, SQL: s.SQL, EventTime: s.Plan.Schema.Columns[s.Plan.EventTime].Name, Partitions: s.Plan.Partitions,
			Retention: plan.FormatDuration(s.Plan.Retention), PartitionBy: names(s, s.Plan.PartitionBy), DedupeKey: names(s, s.Plan.DedupeKey),
			Events: facts.Events, LakeRows: facts.LakeRows, Rejected: facts.Rejected, Head: facts.Heads,
		}
		for _, c := range s.Plan.Schema.Columns {
			made.Columns = append(made.Columns, Column{c.Name, c.Type.String()})
		}
		out.Streams = append(out.Streams, made)
	}
	return out, nil
}

// names are those of some of a stream's columns.
func names(s *catalog.Stream, columns []int) []string {
	var out []string
	for _, i := range columns {
		out = append(out, s.Plan.Schema.Columns[i].Name)
	}
	return out
}

// streamsOf are the streams that a caller may look at.
func (o *Overview) streamsOf(p access.Principal) []*catalog.Stream {
	return slices.DeleteFunc(o.o.Catalog.Streams(), func(s *catalog.Stream) bool { return !p.May(access.Look, s.Plan.Name) })
}

// viewsOf are the views and leaderboards that a caller may look at.
func (o *Overview) viewsOf(p access.Principal) []*catalog.View {
	return slices.DeleteFunc(o.o.Catalog.Views(), func(v *catalog.View) bool { return !p.May(access.Look, v.Plan.Name) })
}

// Roles of a view's columns.
const (
	roleGroup   = "group"   // a column of GROUP BY, which by, where and values take
	roleWindow  = "window"  // the start of the group's window
	roleDerived = "derived" // reckoned from the columns of GROUP BY
	roleMeasure = "measure" // an aggregate
)

// ViewColumn is one column of a view.
type ViewColumn struct {
	Name string `json:"name"`
	Type string `json:"type" jsonschema:"in ClickHouse's terms"`
	Role string `json:"role" jsonschema:"group (which by, where and values take), window (the start of its window), derived (reckoned from groups) or measure"`
}

// View describes a view that is no leaderboard.
type View struct {
	Name       string       `json:"name"`
	Stream     string       `json:"stream"`
	SQL        string       `json:"sql"` // the statement that makes it
	Columns    []ViewColumn `json:"columns"`
	Window     *int64       `json:"window" jsonschema:"length of its windows in seconds, of months and years that of the present one; null: it has none"`
	Pane       int64        `json:"pane" jsonschema:"seconds: from, to and step of queries are made of whole panes"`
	Schedule   string       `json:"schedule" jsonschema:"of its batch runs, as cron has it, in UTC"`
	Generation uint64       `json:"generation"`
	Cut        *event.Epoch `json:"cut" jsonschema:"the last epoch of the batch layer; null: it covers nothing yet"`
	CutTime    *time.Time   `json:"cut_time"`
	NextRun    *time.Time   `json:"next_run"`
	Rows       int64        `json:"rows" jsonschema:"groups of the batch layer"`
	State      string       `json:"state" jsonschema:"ready, backfilling (its history is being computed), starting (its speed layer is), or stalled"`
	Error      string       `json:"error,omitempty"`
}

// ViewList is the answer of GET /v1/views.
type ViewList struct {
	Views []View `json:"views"`
}

func (o *Overview) views(r *http.Request) (any, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	out := ViewList{Views: []View{}}
	for _, v := range o.viewsOf(access.From(r.Context())) {
		if v.Board != nil {
			continue // GET /v1/leaderboards lists them
		}
		facts, err := o.o.Facts.View(r.Context(), v)
		if err != nil {
			return nil, err
		}
		made := View{
			Name: v.Plan.Name, Stream: v.Plan.Stream.Name, SQL: v.SQL, Columns: columns(v.Plan), Pane: v.Plan.Pane,
			Schedule: v.Plan.Cron, NextRun: facts.NextRun, State: state(facts), Error: facts.Error,
		}
		if w := v.Plan.Window; w.Unit != plan.NoUnit {
			start := w.Start(time.Now().Unix())
			length := w.Next(start) - start
			made.Window = &length
		}
		made.Generation, made.Cut, made.CutTime = o.published(facts.Published)
		if m := facts.Published; m != nil {
			made.Rows = m.Rows
		}
		out.Views = append(out.Views, made)
	}
	return out, nil
}

func (o *Overview) published(m *publication.Manifest) (generation uint64, cut *event.Epoch, end *time.Time) {
	if m == nil {
		return 0, nil, nil
	}
	return m.Generation, someCut(m.Cut), o.endOf(m.Cut)
}

// someCut is a cut, nil where it covers nothing.
func someCut(cut event.Epoch) *event.Epoch {
	if cut == event.NoEpoch {
		return nil
	}
	return &cut
}

// endOf is the end of a cut's epoch, nil where it covers nothing.
func (o *Overview) endOf(cut event.Epoch) *time.Time {
	if cut == event.NoEpoch {
		return nil
	}
	end := (cut + 1).Start(o.o.EpochLength)
	return &end
}

// columns are those of a view's answers.
func columns(v *plan.View) []ViewColumn {
	keys := v.KeyNames()
	var out []ViewColumn
	for _, c := range v.Outputs {
		role := roleDerived
		reads := map[int]bool{}
		c.Expr.Columns(reads)
		switch {
		case c.Agg:
			role = roleMeasure
		case len(reads) == 1 && reads[0]: // column 0 of plan.View.FinalSchema
			role = roleWindow
		case slices.Contains(keys, c.Name):
			role = roleGroup
		}
		out = append(out, ViewColumn{c.Name, c.Type.String(), role})
	}
	return out
}

func state(f ViewFacts) string {
	switch {
	case f.Published == nil:
		return "backfilling"
	case f.Stalled:
		return "stalled"
	case f.Starting:
		return "starting"
	}
	return "ready"
}

// defaultRuns is how many runs GET /v1/batches answers with where it is not told.
const defaultRuns = 100

// Drift says how batch and speed compared for the epochs that a run took over.
type Drift struct {
	From       *event.Epoch `json:"from" jsonschema:"the epochs after it up to to; null: from the beginning"`
	To         *event.Epoch `json:"to"`
	Batch      int64        `json:"batch_events"`
	Speed      int64        `json:"speed_events"`
	Comparable bool         `json:"comparable" jsonschema:"false where the speed layer did not hold these epochs whole: it was behind, or begun anew"`
}

// Run is one batch run of a view.
type Run struct {
	View       string       `json:"view"` // or leaderboard
	Kind       ledger.Kind  `json:"kind" jsonschema:"batch, rebuild, or backfill, which is the first run of a view"`
	State      ledger.State `json:"state" jsonschema:"running, published, failed or cancelled"`
	Started    time.Time    `json:"started"`
	Finished   *time.Time   `json:"finished"` // null while it runs
	Error      string       `json:"error,omitempty"`
	Generation uint64       `json:"generation" jsonschema:"that it published; 0: none"`
	Cut        *event.Epoch `json:"cut"`
	CutTime    *time.Time   `json:"cut_time"`
	Rows       int64        `json:"rows" jsonschema:"groups of the generation"`
	Days       int          `json:"days" jsonschema:"event days that were recomputed"`
	Drift      *Drift       `json:"drift" jsonschema:"of a run that published"`
}

// RunList is the answer of GET /v1/batches.
type RunList struct {
	Runs []Run `json:"runs"`
}

func (o *Overview) batches(r *http.Request) (any, error) {
	if err := known(r, "view", "limit"); err != nil {
		return nil, err
	}
	q := r.URL.Query()
	limit := defaultRuns
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, badParameter("limit", "%q is not a whole number of 1 or more", s)
		}
		limit = n
	}
	caller := access.From(r.Context())
	views := o.viewsOf(caller)
	if name := q.Get("view"); name != "" {
		views = slices.DeleteFunc(views, func(v *catalog.View) bool { return v.Plan.Name != name })
		if len(views) == 0 {
			return nil, problem.New(http.StatusNotFound, "unknown-view", "there is no view "+strconv.Quote(name)+" that you may look at", "GET /v1/views lists those")
		}
	}
	out := RunList{Runs: []Run{}}
	for _, v := range views {
		runs, err := o.o.Facts.Runs(r.Context(), v)
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			out.Runs = append(out.Runs, o.run(v, run))
		}
	}
	slices.SortStableFunc(out.Runs, func(a, b Run) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.View, b.View))
	})
	out.Runs = out.Runs[:min(limit, len(out.Runs))]
	return out, nil
}

func (o *Overview) run(v *catalog.View, r ledger.Run) Run {
	made := Run{
		View: v.Plan.Name, Kind: r.Kind, State: r.State, Started: r.Started, Error: r.Error, Generation: r.Generation, Rows: r.Rows, Days: r.Days,
	}
	if r.State != ledger.Running {
		made.Finished = &r.Finished
	}
	if r.State == ledger.Published {
		made.Cut, made.CutTime = someCut(r.Cut), o.endOf(r.Cut)
		made.Drift = &Drift{From: someCut(r.Drift.From), To: someCut(r.Drift.To), Batch: r.Drift.Batch, Speed: r.Drift.Speed, Comparable: r.Drift.Comparable}
	}
	return made
}

// StreamErrors is what was refused of one stream.
type StreamErrors struct {
	Stream   string          `json:"stream"`
	Rejected int64           `json:"rejected" jsonschema:"dead letters that wait"`
	Newest   *time.Time      `json:"newest"` // null: there is none
	Counted  int             `json:"counted" jsonschema:"of the newest letters, which the reasons are of"`
	Reasons  []RefusedReason `json:"reasons" jsonschema:"the most frequent first"`
}

// ErrorList is the answer of GET /v1/errors.
type ErrorList struct {
	Streams []StreamErrors `json:"streams" jsonschema:"the one that was refused something last first; those without dead letters last"`
}

func (o *Overview) refused(r *http.Request) (any, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	out := ErrorList{Streams: []StreamErrors{}}
	for _, s := range o.streamsOf(access.From(r.Context())) {
		refused, err := o.o.Facts.Refused(r.Context(), s)
		if err != nil {
			return nil, err
		}
		made := StreamErrors{Stream: s.Plan.Name, Rejected: refused.Letters, Counted: refused.Counted, Reasons: refused.Reasons}
		if made.Reasons == nil {
			made.Reasons = []RefusedReason{}
		}
		if refused.Counted > 0 {
			made.Newest = &refused.Newest
		}
		out.Streams = append(out.Streams, made)
	}
	age := func(s StreamErrors) int64 {
		if s.Newest == nil {
			return math.MaxInt64
		}
		return -s.Newest.UnixNano()
	}
	slices.SortStableFunc(out.Streams, func(a, b StreamErrors) int { return cmp.Compare(age(a), age(b)) })
	return out, nil
}

func listed(value any) []route.Reply {
	return []route.Reply{{Status: http.StatusOK, Types: []string{"application/json"}, Value: value, About: "what the caller may look at"}}
}

var (
	streamsDoc = route.Doc{
		ID: "listStreams", Tag: "streams", Summary: "The streams that the caller may look at", Replies: listed(StreamList{}),
		Errors: []int{http.StatusBadRequest},
	}
	viewsDoc = route.Doc{
		ID: "listViews", Tag: "views", Summary: "The views that the caller may look at", About: "Leaderboards have a list of their own.",
		Replies: listed(ViewList{}), Errors: []int{http.StatusBadRequest},
	}
	batchesDoc = route.Doc{
		ID: "listBatchRuns", Tag: "views", Summary: "The batch runs of views and leaderboards, the newest first",
		About: "Each with its drift report: how batch and speed compared for the epochs that it took over. The newest " + strconv.Itoa(ledger.KeptRuns) + " of a view are kept, over restarts; runs that had nothing to do are not among them.",
		Params: []route.Param{
			{Name: "view", In: "query", Type: "string", About: "of this view or leaderboard alone", Example: "page_hits"},
			{Name: "limit", In: "query", Type: "integer", About: "most runs. Default: " + strconv.Itoa(defaultRuns), Example: "20"},
		},
		Replies: listed(RunList{}), Errors: []int{http.StatusBadRequest, http.StatusNotFound},
	}
	refusedDoc = route.Doc{
		ID: "listRefusals", Tag: "streams", Summary: "What was refused, and why, by stream",
		About:   "Counts of the dead letters that wait, by reason. The rows themselves are for administrators: see the dead letters of a stream.",
		Replies: listed(ErrorList{}), Errors: []int{http.StatusBadRequest},
	}
)
