// Package httpapi is the HTTP door of ingest: POST /v1/streams/{stream}/events.
//
// The one invariant: a reply of success is sent only after every accepted event is
// durable in the stream and every rejected row is durable among the dead letters.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/millrace/millrace/ingest/appender"
	"github.com/millrace/millrace/ingest/decode"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/rate"
)

// Path is where the Handler belongs, by POST.
const Path = "/v1/streams/{stream}/events"

const (
	// maxKeyBytes bounds an Idempotency-Key: UUIDs and paths fit, and thousands of them
	// can be remembered.
	maxKeyBytes = 255
	// maxErrors bounds the rejected rows that a reply lists.
	maxErrors = 100
	// rememberedReplies is how many replies to requests with an Idempotency-Key are kept.
	rememberedReplies = 2048
	// retryAfter is what a client is told to wait where a part of ours is out of order.
	retryAfter = time.Second
)

// Target is a stream as this door needs it. It is shared by all requests.
type Target struct {
	ID       string       // of the catalog; never used again after a DROP
	Decoders *decode.Pool // for the stream's schema
	Appender Appender
	// Requests and Bytes, decompressed, are counted where they are not nil.
	Requests, Bytes *rate.Meter
}

// Appender is what a batch is handed to; *appender.Appender is one.
type Appender interface {
	Append(ctx context.Context, b *event.Batch, idempotencyKey string) (appender.Result, error)
}

// Streams finds streams by name. An unknown one is catalog.ErrNotFound with a text that
// says which names are near.
type Streams interface {
	Lookup(name string) (*Target, error)
}

// Letter is a rejected row.
type Letter struct {
	Line    int    // as in the reply
	Reason  string // in words
	Raw     []byte // the row's bytes; valid during Write only
	Format  string // of Raw: "ndjson", "json" or "csv"
	Header  string // of CSV: the header record, without which Raw says nothing
	Arrival time.Time
}

// DeadLetters keeps rejected rows. Write returns when all are durable; where it fails the
// request fails and may come again, so that a letter may be written more than once.
type DeadLetters interface {
	Write(ctx context.Context, streamID string, letters []Letter) error
}

// Options configure a Handler. All but Budget, Metrics, Logger and Now are needed.
type Options struct {
	Streams     Streams
	DeadLetters DeadLetters
	Limits      decode.Limits    // those of the targets' decoders
	Budget      *appender.Budget // bounds the bodies in memory; nil: no bound
	Metrics     *Metrics
	Logger      *slog.Logger
	Now         func() time.Time // default time.Now
}

// Handler takes events in over HTTP. It is safe for concurrent use.
type Handler struct {
	o       Options
	bodies  bodyReader
	replies *appender.Replies[Reply]
}

// New returns the handler; mount it at Path.
func New(o Options) *Handler {
	o.Limits = o.Limits.WithDefaults()
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Budget == nil {
		o.Budget = appender.NewBudget(1<<63 - 1)
	}
	return &Handler{
		o:       o,
		bodies:  bodyReader{maxBytes: o.Limits.MaxBodyBytes},
		replies: appender.NewReplies[Reply](rememberedReplies),
	}
}

// Reply is the body of a successful answer.
type Reply struct {
	Accepted int        `json:"accepted"` // rows in the stream
	Rejected int        `json:"rejected"` // rows among the dead letters
	Errors   []RowError `json:"errors"`   // of the first rejected rows
	// Truncated says that more rows were rejected than Errors lists.
	Truncated bool `json:"truncated,omitempty"`
	// Duplicate says that this repeats the reply to an earlier request of the same
	// Idempotency-Key; nothing was appended this time.
	Duplicate bool `json:"duplicate,omitempty"`
}

// RowError says why one row was rejected.
type RowError struct {
	Line   int    `json:"line"` // see decode.Rejected
	Reason string `json:"reason"`
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("stream")
	target, err := h.o.Streams.Lookup(name)
	label := name
	if err != nil {
		label = "" // no series for whatever name a client makes up
	}
	var reply Reply
	if err == nil {
		target.Requests.Add(1)
		reply, err = h.serve(w, r, target, label)
	} else if errors.Is(err, catalog.ErrNotFound) {
		err = problem.New(http.StatusNotFound, "unknown-stream", err.Error(), "SHOW STREAMS lists the streams; CREATE STREAM makes one")
	}
	if err != nil {
		p := problem.From(h.classify(err))
		if p.Status >= http.StatusInternalServerError {
			h.o.Logger.Warn("ingest request failed", "stream", name, "status", p.Status, "error", err)
		}
		h.o.Metrics.requests.WithLabelValues(label, fmt.Sprint(p.Status)).Inc()
		problem.Write(w, p)
		return
	}
	h.o.Metrics.requests.WithLabelValues(label, "200").Inc()
	w.Header().Set("Content-Type", "application/json")
	if reply.Duplicate {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	_ = json.NewEncoder(w).Encode(reply) // the client has gone if this fails
}

// serve reads the request and returns its reply.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, target *Target, label string) (Reply, error) {
	format, err := formatOf(r.Header.Get("Content-Type"))
	if err != nil {
		return Reply{}, err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return Reply{}, err
	}
	share := h.o.Budget.Reserve()
	defer share.Release()
	body, err := h.bodies.read(w, r, share)
	if err != nil {
		return Reply{}, err
	}
	defer body.release()
	h.o.Metrics.bytes.WithLabelValues(label).Add(float64(len(body.data)))
	target.Bytes.Add(len(body.data))
	work := func() (Reply, error) { return h.ingest(r.Context(), target, label, format, body, share, key) }
	if key == "" {
		return work()
	}
	// The same bytes mean something else as another format.
	fingerprint := xxhash.Sum64(body.data) + uint64(format)
	reply, repeated, err := h.replies.Do(r.Context(), target.ID+"\x00"+key, fingerprint, work)
	reply.Duplicate = repeated
	return reply, err
}

// ingest decodes the body, keeps its rejected rows and appends the others. It releases
// the body before it appends.
func (h *Handler) ingest(ctx context.Context, target *Target, label string, format decode.Format, body *body, share *appender.Reservation, key string) (Reply, error) {
	now := h.o.Now()
	work := target.Decoders.Get()
	defer target.Decoders.Put(work)
	rejected, err := work.Decode(work.Batch, format, body.data, now)
	if err != nil {
		return Reply{}, err
	}
	reply := Reply{Accepted: work.Batch.Rows, Rejected: len(rejected), Errors: []RowError{}, Truncated: len(rejected) > maxErrors}
	if len(rejected) > 0 {
		letters := make([]Letter, len(rejected))
		name, header := strings.ToLower(format.String()), ""
		if format == decode.CSV {
			header = csvHeader(body.data)
		}
		for i, x := range rejected {
			letters[i] = Letter{Line: x.Line, Reason: x.Reason, Raw: x.Raw, Format: name, Header: header, Arrival: now}
			if i < maxErrors {
				reply.Errors = append(reply.Errors, RowError{Line: x.Line, Reason: x.Reason})
			}
		}
		// First the letters: where they fail, nothing is appended yet and the client may
		// simply come again.
		if err := h.o.DeadLetters.Write(ctx, target.ID, letters); err != nil {
			h.o.Logger.Error("dead letters not written", "stream", target.ID, "letters", len(letters), "error", err)
			return Reply{}, problem.Busy("the rejected rows cannot be kept at the moment; nothing of this request is stored", retryAfter)
		}
	}
	// The appender reserves what the columns take; the text is not needed any more.
	body.release()
	share.Release()
	if _, err := target.Appender.Append(ctx, work.Batch, key); err != nil {
		return Reply{}, err
	}
	h.o.Metrics.events.WithLabelValues(label).Add(float64(reply.Accepted))
	h.o.Metrics.rejected.WithLabelValues(label).Add(float64(reply.Rejected))
	return reply, nil
}

// classify turns the errors of decode and appender into problems.
func (h *Handler) classify(err error) error {
	var be *decode.BodyError
	switch {
	case errors.As(err, &be):
		p := problem.New(http.StatusBadRequest, "malformed-body", be.Error(), "nothing of this request is stored; correct the body, or send NDJSON, of which the good lines are taken")
		p.Offset = &be.Offset
		return p
	case errors.Is(err, decode.ErrTooLarge):
		return tooLarge(err.Error())
	case errors.Is(err, appender.ErrKeyReused):
		return problem.New(http.StatusUnprocessableEntity, "idempotency-key-reused", err.Error(), "use a new key for each request, and the same only to send the same body again")
	case errors.Is(err, appender.ErrClosed):
		return problem.Busy(err.Error(), retryAfter)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return problem.Busy("the request ended before its events were stored", retryAfter)
	}
	return err
}
