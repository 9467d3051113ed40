// Package httpapi is the HTTP surface of the serving layer: views, SQL, status.
//
// The one invariant: every error is problem JSON with what was wrong, where and what to
// do; no success status is sent before the answer is known to be whole.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/live"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/serving/query"
)

// MaxSQLBytes bounds the body of POST /v1/sql: well beyond what a person writes.
const MaxSQLBytes = 256 << 10

// Views finds views.
type Views interface {
	View(name string) (*catalog.View, error)
}

// Merger answers queries on views.
type Merger interface {
	Run(ctx context.Context, q merge.Query) (*merge.Result, error)
	// Unmoved reports whether an answer of this provenance still stands.
	Unmoved(ctx context.Context, q merge.Query, p merge.Provenance) (bool, error)
}

// Executor runs SQL.
type Executor interface {
	Run(ctx context.Context, r query.Request) (*query.Response, error)
}

// Operator runs jobs and tells the state of every layer.
type Operator interface {
	// RunBatch runs the view's batch job, from the beginning of the lake where rebuild is
	// set, and returns when its result is published.
	RunBatch(ctx context.Context, view string, rebuild bool) (BatchResult, error)
	// Status returns a value that encodes as JSON.
	Status(ctx context.Context) any
	// StatusType returns a value of the type that Status returns, for the API description.
	StatusType() any
	// Ready returns nil once queries can be answered.
	Ready(ctx context.Context) error
}

// BatchResult is the answer of POST /v1/views/{view}/batch.
type BatchResult struct {
	Generation uint64 `json:"generation"`
	Cut        int64  `json:"cut"`
	Rows       int64  `json:"rows"`
	Drift      any    `json:"drift" jsonschema:"how batch and speed compared for the epochs that the run took over"`
}

// Options are the parts of the surface.
type Options struct {
	Views    Views
	Merger   Merger
	Boards   Leaderboards
	Ranks    Ranks
	Executor Executor
	Operator Operator
	Metrics  *prometheus.Registry
	Log      *slog.Logger
	Limits   query.RoleLimits // of queries on views
	// Queried is told how long each query of a view, a leaderboard or SQL took.
	Queried func(took time.Duration)
	Live    *live.Hub
}

type server struct {
	Options
	seconds *prometheus.HistogramVec
}

// Routes returns the routes of views, SQL and state.
func Routes(o Options) route.Table {
	s := &server{Options: o, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "millrace_serving_query_seconds", Help: "Time to answer a query, by route.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
	}, []string{"route"})}
	o.Metrics.MustRegister(s.seconds)
	return append(s.leaderboardRoutes(o.Boards, o.Ranks), route.Table{
		{Method: http.MethodGet, Path: "/v1/views/{view}", Right: access.Look, Object: "view", Handler: s.asked("view", s.view),
			Doc: viewDoc},
		{Method: http.MethodGet, Path: "/v1/views/{view}/values", Right: access.Look, Object: "view", Handler: s.asked("values", s.values),
			Doc: valuesDoc},
		{Method: http.MethodGet, Path: "/v1/views/{view}/live", Right: access.Look, Object: "view", Handler: s.streamed(s.liveView),
			Doc: liveViewDoc},
		{Method: http.MethodPost, Path: "/v1/views/{view}/batch", Right: access.Manage, Object: "view", Handler: s.timed("batch", s.batch),
			Doc: batchDoc},
		{Method: http.MethodPost, Path: "/v1/sql", Right: access.Query, Handler: s.asked("sql", s.sql),
			Doc: sqlDoc},
		{Method: http.MethodGet, Path: "/v1/status", Right: access.Look, Handler: s.timed("status", s.status),
			Doc: statusDoc(o.Operator)},
		{Method: http.MethodGet, Path: "/metrics", Right: access.Watch, Handler: promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}),
			Doc: metricsDoc},
		{Method: http.MethodGet, Path: "/healthz", Right: access.Public, Handler: http.HandlerFunc(s.healthy),
			Doc: healthDoc},
		{Method: http.MethodGet, Path: "/readyz", Right: access.Public, Handler: http.HandlerFunc(s.ready),
			Doc: readyDoc},
	}...)
}

func (s *server) healthy(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.Operator.Ready(r.Context()); err != nil {
		problem.Write(w, problem.Busy(err.Error(), time.Second))
		return
	}
	fmt.Fprintln(w, "ready")
}

// timed measures a route and turns its error into problem JSON.
func (s *server) timed(route string, handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		err := handle(w, r)
		s.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
		s.refuse(w, r, err)
	}
}

// refuse answers with problem JSON where err is not nil and somebody is left to read it.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil || r.Context().Err() != nil {
		return
	}
	route.Fail(s.Log, w, r, err)
}

// asked is timed for a route by which questions about data are asked.
func (s *server) asked(route string, handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return s.timed(route, func(w http.ResponseWriter, r *http.Request) error {
		start := time.Now()
		err := handle(w, r)
		s.Queried(time.Since(start))
		return err
	})
}

// Recover wraps a handler so that a panic, which is a defect, becomes a logged 500.
func Recover(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v) // net/http's own way to end a response
				}
				log.Error("defect: a handler panicked", "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
				problem.Write(w, problem.New(http.StatusInternalServerError, "internal", "the request met a defect", "see the log of the server"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// findView finds the view that a request names.
func (s *server) findView(r *http.Request) (*catalog.View, error) {
	v, err := s.Views.View(r.PathValue("view"))
	if err != nil {
		return nil, problem.New(http.StatusNotFound, "unknown-view", err.Error(), "")
	}
	return v, nil
}

// withinTime runs a question within the limit of a query's time; hint says how to stay
// within it.
func withinTime[T any](ctx context.Context, limits query.Limits, hint string, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	answer, err := ask(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return answer, problem.New(http.StatusGatewayTimeout, "query-timeout",
			fmt.Sprintf("the query ran longer than the limit of %s (%stimeout)", limits.Time, limits.Prefix), hint)
	}
	return answer, err
}

// viewHint says how a query on a view stays within its time.
const viewHint = "narrow it by from, to, where or by"

func (s *server) view(w http.ResponseWriter, r *http.Request) error {
	v, err := s.findView(r)
	if err != nil {
		return err
	}
	f, err := format.Choose(r)
	if err != nil {
		return err
	}
	q, err := parseQuery(v, r.URL.Query(), time.Now())
	if err != nil {
		return err
	}
	limits := s.Limits.For(access.From(r.Context()))
	q.MaxRows = limits.Rows
	result, err := withinTime(r.Context(), limits, viewHint, func(ctx context.Context) (*merge.Result, error) { return s.Merger.Run(ctx, q) })
	if err != nil {
		return err
	}
	text, err := json.Marshal(result.Provenance)
	if err != nil {
		return fmt.Errorf("encode provenance: %w", err)
	}
	w.Header().Set(provenanceHeader, string(text))
	w.Header().Set("Content-Type", f.ContentType)
	// Past this point the client has gone if writing fails: nobody is left to be told.
	_ = f.Write(w, result.Batch, format.Field{Name: "provenance", JSON: text})
	return nil
}

// provenanceHeader says what an answer is made of, for formats that cannot hold it.
const provenanceHeader = "Millrace-Provenance"

func (s *server) batch(w http.ResponseWriter, r *http.Request) error {
	result, err := s.Operator.RunBatch(r.Context(), r.PathValue("view"), r.URL.Query().Get("rebuild") == "true")
	if err != nil {
		if errors.Is(err, catalog.ErrNotFound) {
			return problem.New(http.StatusNotFound, "unknown-view", err.Error(), "")
		}
		return err
	}
	return route.WriteJSON(w, http.StatusOK, result)
}

func (s *server) status(w http.ResponseWriter, r *http.Request) error {
	return route.WriteJSON(w, http.StatusOK, s.Operator.Status(r.Context()))
}
