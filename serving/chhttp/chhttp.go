// Package chhttp speaks ClickHouse's HTTP protocol, read-only, over streams and views, so
// that the clients of ClickHouse that people have already can ask Millrace.
//
// The one invariant: it decides nothing about data. What a statement may read and what it
// may cost is the Executor's to say; this package translates requests, answers and errors.
package chhttp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/serving/query"
)

// Executor runs one statement that reads.
type Executor interface {
	Stream(ctx context.Context, r query.Request) (*query.Response, error)
}

// Outcome is what became of one statement.
type Outcome struct {
	Text     string // as the client sent it
	Kind     string // as the Executor calls it; "" where it did not get that far
	QueryID  string
	Refused  bool  // before the Executor had it, which records what it has
	Bytes    int64 // of the answer, before compression
	Duration time.Duration
	Err      error // nil: the whole answer was sent
}

// Options are the parts of the endpoint.
type Options struct {
	Executor Executor
	// Identify finds who sent a request, by the bearer token in Authorization. Without a
	// token it decides what a caller without one may do.
	Identify func(r *http.Request) (access.Principal, error)
	// Done is told of every statement, after it; the context carries the principal.
	Done func(ctx context.Context, o Outcome) // nil: nobody is told
	Log  *slog.Logger
}

// displayName is how the server calls itself where clients ask.
const displayName = "millrace"

// New returns the endpoint; it answers every path of its port.
func New(o Options) http.Handler {
	if o.Done == nil {
		o.Done = func(context.Context, Outcome) {}
	}
	return &server{o}
}

type server struct{ Options }

// ServeHTTP answers one request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", displayName)
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "the ClickHouse endpoint takes GET, HEAD and POST", http.StatusMethodNotAllowed)
		return
	}
	switch r.URL.Path {
	case "/":
		s.statement(w, r)
	case "/ping", "/replicas_status":
		_, _ = io.WriteString(w, "Ok.\n") // the client has gone if this fails
	default:
		http.Error(w, "there is nothing at "+strconv.Quote(r.URL.Path)+"; queries go to /, /ping says whether the server is there", http.StatusNotFound)
	}
}

// statement runs the statement of a request.
func (s *server) statement(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	outcome := Outcome{QueryID: rand.Text()}
	bare, principal, err := s.identify(r)
	ctx := access.With(r.Context(), principal)
	w.Header().Set("X-ClickHouse-Query-Id", outcome.QueryID)
	if err != nil {
		writeException(w, err)
		return
	}
	req, err := parseRequest(w, bare)
	if err != nil {
		writeException(w, err)
		return
	}
	if req.QueryID == "" {
		req.QueryID = outcome.QueryID
	}
	w.Header().Set("X-ClickHouse-Query-Id", req.QueryID)
	if req.Text == "" && r.Method != http.MethodPost {
		_, _ = io.WriteString(w, "Ok.\n") // what a ClickHouse server says to whoever looks in
		return
	}
	outcome.Text, outcome.QueryID = req.Text, req.QueryID
	a := &answer{w: w, req: req}
	defer func() {
		outcome.Bytes, outcome.Duration = a.bytes, time.Since(start)
		s.Done(ctx, outcome)
		if a.broken {
			// A client that does not know the frame must not take the body for whole.
			panic(http.ErrAbortHandler)
		}
	}()
	done, err := prepare(req)
	outcome.Refused, outcome.Err = err != nil, err
	if !done && err == nil {
		outcome.Kind, outcome.Err = s.run(ctx, req, a, start)
	}
	if outcome.Err == nil || ctx.Err() != nil {
		return // done, or nobody is left to be told
	}
	if exceptionOf(outcome.Err).status == http.StatusInternalServerError {
		s.Log.Error("answer statement at the ClickHouse endpoint", "query_id", req.QueryID, "error", outcome.Err)
	}
	a.fail(outcome.Err)
}

// run runs the statement and sends its answer. It returns the statement's kind.
func (s *server) run(ctx context.Context, req *request, a *answer, start time.Time) (string, error) {
	response, err := s.Executor.Stream(ctx, req.Request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if err := a.describe(response, start); err != nil {
		return response.Statement, err
	}
	return response.Statement, a.send(response.Body)
}

// describe sets the headers of a good answer.
func (a *answer) describe(r *query.Response, start time.Time) error {
	h := a.w.Header()
	for _, name := range []string{"X-ClickHouse-Timezone", "X-ClickHouse-Summary"} {
		if v := r.Header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	if h.Get("X-ClickHouse-Timezone") == "" {
		h.Set("X-ClickHouse-Timezone", "UTC")
	}
	if h.Get("X-ClickHouse-Summary") == "" {
		// A server that does not wait for the end of the query has only begun to count.
		h.Set("X-ClickHouse-Summary", fmt.Sprintf(
			`{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0","total_rows_to_read":"0","result_rows":"0","result_bytes":"0","elapsed_ns":"%d"}`,
			time.Since(start).Nanoseconds()))
	}
	if r.Sources != nil {
		text, err := json.Marshal(r.Sources)
		if err != nil {
			return fmt.Errorf("encode provenance: %w", err)
		}
		h.Set("Millrace-Provenance", string(text))
	}
	h.Set("X-ClickHouse-Format", r.Format)
	h.Set("Content-Type", r.ContentType)
	return nil
}
