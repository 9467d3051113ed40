// Package overview says what there is and how it does: streams, views, batch runs, what was
// refused, and the pulse of it all, for consoles, dashboards and whoever asks by hand.
//
// The one invariant: a caller is shown what it may look at and nothing else, in lists, sums
// and problems alike.
package overview

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/millrace/millrace/batch/ledger"
	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
)

// Catalog lists what is declared, by name.
type Catalog interface {
	Streams() []*catalog.Stream
	Views() []*catalog.View // leaderboards among them
}

// Facts tells how what is declared does at this moment. Its methods cost no more than a
// look at memory, but for Refused, which may read objects, and Health.
type Facts interface {
	// Stream returns false where the stream is being created or dropped.
	Stream(s *catalog.Stream) (StreamFacts, bool)
	View(ctx context.Context, v *catalog.View) (ViewFacts, error)
	// Runs returns the batch runs of a view, the newest first, one under way before them.
	Runs(ctx context.Context, v *catalog.View) ([]ledger.Run, error)
	Refused(ctx context.Context, s *catalog.Stream) (Refused, error)
	// Health returns what is wrong with the parts that everything needs.
	Health(ctx context.Context) []Problem
	// Queries returns how many queries a second are answered, and how long they take.
	Queries() QueryFacts
}

// StreamFacts is how a stream does.
type StreamFacts struct {
	Events            int64 // acknowledged since the process started
	Rejected          int64 // dead letters that wait
	EventsPerSecond   float64
	BytesPerSecond    float64
	RequestsPerSecond float64
	RejectedPerSecond float64
	Heads             []uint64     // newest acknowledged entry of each partition
	Complete          *event.Epoch // newest epoch that the lake holds whole; nil: none
	LakeFiles         int
	LakeRows          int64
	LakeBytes         int64
	Error             string // of what reads it
}

// ViewFacts is how a view does.
type ViewFacts struct {
	Published *publication.Manifest // nil: its history is still being computed
	NextRun   *time.Time
	Running   bool // a batch run is under way
	LagMillis int64
	Complete  bool // everything acknowledged is in its answers
	Stalled   bool // its aggregation failed, and it stands still
	Starting  bool // its speed layer is being loaded
	Error     string
}

// Refused is what was refused of a stream.
type Refused struct {
	Letters int64 // that wait
	Newest  time.Time
	Counted int // of the newest, which Reasons are of
	Reasons []RefusedReason
}

// RefusedReason counts what was refused for one reason, without what the reason quoted of a row.
type RefusedReason struct {
	Reason string    `json:"reason" jsonschema:"without what it quotes of a row"`
	Count  int64     `json:"count"`
	Newest time.Time `json:"newest"`
}

// QueryFacts is how queries do.
type QueryFacts struct {
	PerSecond float64
	P99Millis *float64 // of the last minute; nil: there was none
}

// Problem is something that is wrong.
type Problem struct {
	Part   string `json:"part" jsonschema:"redis, clickhouse, query_engine, or as in stream clicks, view hits, leaderboard top, batch hits"`
	Detail string `json:"detail"`
}

// Options are the parts of the overview.
type Options struct {
	Catalog     Catalog
	Facts       Facts
	EpochLength time.Duration
	Version     string
	Started     time.Time
	Log         *slog.Logger
}

// Overview answers. It is safe for concurrent use.
type Overview struct {
	o Options
	healthMemo
}

// New returns an overview.
func New(o Options) *Overview { return &Overview{o: o} }

// Routes returns the routes of the lists.
func (o *Overview) Routes() route.Table {
	get := func(path string, doc route.Doc, answer func(*http.Request) (any, error)) route.Route {
		return route.Route{Method: http.MethodGet, Path: path, Right: access.Look, Doc: doc, Handler: o.handler(answer)}
	}
	return route.Table{
		get("/v1/streams", streamsDoc, o.streams),
		get("/v1/views", viewsDoc, o.views),
		get("/v1/batches", batchesDoc, o.batches),
		get("/v1/errors", refusedDoc, o.refused),
	}
}

func (o *Overview) handler(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return o.failing(func(w http.ResponseWriter, r *http.Request) error {
		value, err := answer(r)
		if err != nil {
			return err
		}
		return route.WriteJSON(w, http.StatusOK, value)
	})
}

// failing turns the error of a handler into problem JSON.
func (o *Overview) failing(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := handle(w, r)
		if err == nil || r.Context().Err() != nil {
			return
		}
		route.Fail(o.o.Log, w, r, err)
	}
}

// known refuses parameters that are not among the given ones.
func known(r *http.Request, names ...string) error {
	for name := range r.URL.Query() {
		ok := false
		for _, n := range names {
			ok = ok || n == name
		}
		if !ok {
			return badParameter(name, "there is no such parameter here")
		}
	}
	return nil
}

func badParameter(name, format string, args ...any) error {
	return problem.New(http.StatusBadRequest, "bad-parameter", name+": "+fmt.Sprintf(format, args...), "")
}
