package appliance

import (
	"context"
	"fmt"
	"net/http"

	"github.com/millrace/millrace/ingest/appender"
	"github.com/millrace/millrace/ingest/decode"
	ingesthttp "github.com/millrace/millrace/ingest/httpapi"
	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/rate"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/lake/deadletter"
	"github.com/millrace/millrace/serving/audit"
)

// limits are those of the configuration; the rest have their defaults.
func (a *Appliance) limits() decode.Limits {
	c := a.o.Config
	return decode.Limits{
		MaxBodyBytes: int(c.MaxBodyBytes), MaxRowBytes: int(c.MaxRowBytes), MaxDepth: int(c.MaxDepth), MaxFields: int(c.MaxFields),
		FutureSkew: c.FutureSkew,
	}.WithDefaults()
}

// ingestRoutes are the door for events and the routes of what it refused.
func (a *Appliance) ingestRoutes() route.Table {
	door := ingesthttp.New(ingesthttp.Options{
		Streams: targets{a}, DeadLetters: letters{a}, Limits: a.limits(), Budget: a.budget,
		Metrics: ingesthttp.NewMetrics(a.metrics.registry), Logger: a.o.Log,
	})
	return route.Table{
		{Method: http.MethodPost, Path: ingesthttp.Path, Right: access.Append, Object: "stream", Handler: door,
			Doc: ingesthttp.Doc},
		{Method: http.MethodGet, Path: "/v1/streams/{stream}/errors", Right: access.Manage, Object: "stream", Handler: http.HandlerFunc(a.listErrors),
			Doc: lettersDoc},
		{Method: http.MethodPost, Path: "/v1/streams/{stream}/errors/replay", Right: access.Manage, Object: "stream", Handler: http.HandlerFunc(a.replayErrors),
			Doc: replayDoc},
	}
}

// counting counts what was acknowledged.
type counting struct {
	*appender.Appender
	events *rate.Meter
}

// Append appends and counts.
func (c counting) Append(ctx context.Context, b *event.Batch, key string) (appender.Result, error) {
	result, err := c.Appender.Append(ctx, b, key)
	if err == nil {
		c.events.Add(result.Rows)
	}
	return result, err
}

// targets finds streams for the door.
type targets struct{ a *Appliance }

// Lookup implements the door's Streams.
func (t targets) Lookup(name string) (*ingesthttp.Target, error) {
	def, err := t.a.catalog.Stream(name)
	if err != nil {
		return nil, err
	}
	r, err := t.a.stream(def.ID)
	if err != nil {
		return nil, err
	}
	return r.target, nil
}

// letters adapts the lake's dead letters to the door's, and counts them.
type letters struct{ a *Appliance }

// Write implements the door's DeadLetters.
func (l letters) Write(ctx context.Context, streamID string, refused []ingesthttp.Letter) error {
	out := make([]deadletter.Letter, len(refused))
	for i, r := range refused {
		out[i] = deadletter.Letter{Line: r.Line, Reason: r.Reason, Raw: r.Raw, Format: r.Format, Header: r.Header, Arrival: r.Arrival}
	}
	if err := l.a.letters.Write(ctx, streamID, out); err != nil {
		return err
	}
	if r, err := l.a.stream(streamID); err == nil { // else it has been dropped meanwhile
		r.rejected.Add(len(out))
	}
	return nil
}

// maxListedErrors bounds the answer of GET …/errors to what a person reads.
const maxListedErrors = 10_000

// refusedRow is one row of GET …/errors.
type refusedRow struct {
	Arrival string `json:"arrival"`
	Line    int    `json:"line"`
	Reason  string `json:"reason"`
	Raw     string `json:"raw" jsonschema:"as text; bytes that are no UTF-8 are replaced"`
	// RawBase64 is the row as it came, where Raw is not.
	RawBase64 []byte `json:"raw_base64,omitempty" jsonschema:"the row as it came, where raw is not"`
	Format    string `json:"format,omitempty" jsonschema:"of the row: ndjson, json or csv"`
	Header    string `json:"header,omitempty" jsonschema:"of CSV: the header record"`
}

// listErrors answers with the newest dead letters of a stream, as NDJSON, newest first.
func (a *Appliance) listErrors(w http.ResponseWriter, r *http.Request) {
	def, err := a.catalog.Stream(r.PathValue("stream"))
	if err != nil {
		problem.Write(w, problem.New(http.StatusNotFound, "unknown-stream", err.Error(), ""))
		return
	}
	rows, err := a.readErrors(r.Context(), def.ID)
	if err != nil {
		problem.Write(w, err)
		return
	}
	writeLines(w, rows)
}

// replayErrors sends the dead letters of a stream through the door again: after the
// stream's limits or its clients' clocks were put right. Those that fail once more are
// dead letters again.
func (a *Appliance) replayErrors(w http.ResponseWriter, r *http.Request) {
	def, err := a.catalog.Stream(r.PathValue("stream"))
	if err != nil {
		problem.Write(w, problem.New(http.StatusNotFound, "unknown-stream", err.Error(), ""))
		return
	}
	run, err := a.stream(def.ID)
	if err != nil {
		problem.Write(w, err)
		return
	}
	var total replayed
	err = audit.Act(r.Context(), a.guard.audit, "replay", def.Plan.Name, func(ctx context.Context) (int64, error) {
		err := a.replayAll(ctx, run, &total)
		return int64(total.Replayed), err
	})
	if err != nil {
		problem.Write(w, err)
		return
	}
	writeObject(w, total)
}

// replayed is the answer to POST …/errors/replay.
type replayed struct {
	Replayed int `json:"replayed" jsonschema:"rows that are events now"`
	Refused  int `json:"refused" jsonschema:"rows that are dead letters again"`
}

func (a *Appliance) replayAll(ctx context.Context, run *running, total *replayed) error {
	objects, err := a.letters.List(ctx, run.def.ID)
	if err != nil {
		return err
	}
	for _, o := range objects {
		err := a.letters.Replay(ctx, o.Name, func(ctx context.Context, again []deadletter.Letter) error {
			accepted, err := a.replay(ctx, run, o.Name, again)
			total.Replayed += accepted
			total.Refused += len(again) - accepted
			return err
		})
		if err != nil {
			return fmt.Errorf("replay dead letters: %w", err)
		}
	}
	return nil
}
