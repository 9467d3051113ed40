package datasource

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/millrace/millrace/dashboards/grafana/datasource/frames"
	"github.com/millrace/millrace/serving/client"
)

const (
	// liveEvery is how often a live panel is drawn anew at most.
	liveEvery = time.Second
	// maxChannels is how many live queries are remembered; then the oldest is forgotten,
	// and its panel shows again at its next refresh.
	maxChannels = 1000
	// slidingAge is how old the end of a panel's range may be for it to mean now.
	slidingAge = time.Minute
)

// channels remembers live queries by the paths of their channels. Grafana subscribes to a
// path alone, and a path is too short for a query.
type channels struct {
	lock    sync.Mutex
	queries map[string]*Query
	order   []string // the oldest first
}

// channel makes the channel of a live query. The same query has the same channel whoever
// asks, so that the server is asked once for all who look at it.
func (d *Datasource) channel(q *Query) (string, error) {
	if age := time.Since(q.scope.To); age > slidingAge {
		return "", &refusal{Detail: "a live panel ends now, and its time range ended " + age.Round(time.Minute).String() + " ago", Hint: "choose a range that ends now, or switch live off"}
	}
	name := struct {
		Query
		Seconds  int64
		Interval time.Duration
	}{Query: *q}
	if q.Mode == modeView { // the others do not depend on the panel's time range and width
		name.Seconds, name.Interval = int64(q.span()/time.Second), q.scope.Interval
	}
	text, err := json.Marshal(name)
	if err != nil {
		return "", fmt.Errorf("name the channel of a query: %w", err)
	}
	sum := sha256.Sum256(text)
	path := q.Mode + "/" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15]))
	d.channels.keep(path, q)
	return "ds/" + d.uid + "/" + path, nil
}

// span is the length of the query's range.
func (q *Query) span() time.Duration { return q.scope.To.Sub(q.scope.From) }

func (c *channels) keep(path string, q *Query) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.queries == nil {
		c.queries = map[string]*Query{}
	}
	if c.queries[path] == nil {
		c.order = append(c.order, path)
	}
	c.queries[path] = q
	if len(c.order) > maxChannels {
		delete(c.queries, c.order[0])
		c.order = c.order[1:]
	}
}

func (c *channels) find(path string) *Query {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.queries[path]
}

// SubscribeStream implements backend.StreamHandler.
func (d *Datasource) SubscribeStream(_ context.Context, request *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	if d.unusable != nil || d.channels.find(request.Path) == nil {
		return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusNotFound}, nil
	}
	return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusOK}, nil
}

// PublishStream implements backend.StreamHandler: nobody publishes but the server.
func (d *Datasource) PublishStream(context.Context, *backend.PublishStreamRequest) (*backend.PublishStreamResponse, error) {
	return &backend.PublishStreamResponse{Status: backend.PublishStreamStatusPermissionDenied}, nil
}

// RunStream implements backend.StreamHandler: it sends a frame for each answer of the
// server until Grafana ends it, as the last who looks has gone.
func (d *Datasource) RunStream(ctx context.Context, request *backend.RunStreamRequest, sender *backend.StreamSender) error {
	q := d.channels.find(request.Path)
	if q == nil {
		return backend.DownstreamErrorf("no live query has the channel %s: load the panel again", request.Path)
	}
	err := d.follow(ctx, q, func(f *data.Frame) error {
		q.mark(f)
		return sender.SendFrame(f, data.IncludeAll)
	})
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if f := explain(err); !f.own {
		return backend.DownstreamError(errors.New(f.String()))
	}
	return err
}

// sendFrame sends a frame to whoever looks.
type sendFrame func(*data.Frame) error

// follow sends the frames of a live query until ctx ends.
func (d *Datasource) follow(ctx context.Context, q *Query, send sendFrame) error {
	switch q.Mode {
	case modeView:
		return d.followView(ctx, q, send)
	case modeLeaderboard:
		return d.followBoard(ctx, q, send)
	}
	return d.followOperations(ctx, q, send)
}

// followed sends a frame for each answer. Where a later answer fails, who looks is told so
// on the frame before, which stays: the server goes on, and so do the answers.
func followed[T any](answers iter.Seq2[T, error], send sendFrame, frame func(T) (*data.Frame, error)) error {
	var last *data.Frame
	for a, err := range answers {
		var later *client.Error
		switch {
		case err == nil:
			if last, err = frame(a); err != nil {
				return err
			}
		case last != nil && errors.As(err, &later):
			last.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: "this is not current any more: " + later.Error()})
		default:
			return err
		}
		if err := send(last); err != nil {
			return err
		}
	}
	return nil
}

// The ways in which a panel takes the frames of a stream.
const (
	replacing = "replace" // each is the whole answer
	appending = "append"  // each is a further row
)

// mark says in a frame of a live query how the next ones are to be taken.
func (q *Query) mark(f *data.Frame) {
	p, _ := f.Meta.Custom.(frames.Provenance)
	p.Stream = replacing
	if q.Mode == modeOperations && q.Table == tablePulse {
		p.Stream = appending
	}
	f.Meta.Custom = p
}
