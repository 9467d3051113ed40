package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/route"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/serving/leaderboard"
	"github.com/millrace/millrace/serving/live"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/serving/query"
)

const (
	defaultEvery = time.Second
	// minEvery bounds what one question costs, maxEvery how long a stream may lag.
	minEvery = 200 * time.Millisecond
	maxEvery = time.Minute
	// answerEvent carries an answer.
	answerEvent = "answer"
)

const aboutLive = "A stream of server-sent events. Event `answer` is the whole JSON answer, at once and then whenever it has changed; " +
	"event `problem` is problem JSON where a later answer fails, and the stream goes on. Where the first answer fails, or too many streams are open, " +
	"the response is that problem and no stream. All who ask the same question share one computation. Every event is whole, so that a client that comes again has missed nothing that it needs."

var everyParam = route.Param{Name: "every", In: "query", Type: "string", Example: "1s",
	About: fmt.Sprintf("a duration: how often the answer may change, %s to %s. Default: %s", minEvery, maxEvery, defaultEvery)}

// streamReplies are those of a stream whose answers are of a value's type.
func streamReplies(value any) []route.Reply {
	return []route.Reply{{Status: http.StatusOK, Types: []string{live.ContentType}, Value: value, About: "events"}}
}

var liveViewDoc = route.Doc{
	ID: "watchView", Tag: "views", Summary: "Query a view, again whenever its answer changes",
	About: aboutLive,
	Params: append(slices.DeleteFunc(slices.Clone(viewDoc.Params), func(p route.Param) bool { return p.Name == formatParam.Name }),
		everyParam),
	Replies: streamReplies(ViewAnswer{}),
	Errors:  viewDoc.Errors,
}

// streamed turns the error of a route that streams into problem JSON. How long it takes is
// not how long an answer takes, and not counted as that.
func (s *server) streamed(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, handle(w, r)) }
}

// takeEvery reads every and takes it out of the parameters.
func takeEvery(values url.Values) (time.Duration, error) {
	text := values.Get("every")
	values.Del("every")
	if text == "" {
		return defaultEvery, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < minEvery || d > maxEvery {
		return 0, bad("every", "%q is not a duration from %s to %s", text, minEvery, maxEvery)
	}
	return d, nil
}

// questionKey names a question. Values.Encode sorts by name, so that the order in which
// parameters were sent does not matter; callers with other limits ask another question.
func questionKey(kind, name string, values url.Values, every time.Duration, limits query.Limits) string {
	return strings.Join([]string{kind, name, values.Encode(), every.String(), limits.Prefix}, "\x00")
}

func (s *server) liveView(w http.ResponseWriter, r *http.Request) error {
	v, err := s.findView(r)
	if err != nil {
		return err
	}
	values := r.URL.Query()
	every, err := takeEvery(values)
	if err != nil {
		return err
	}
	if values.Has("format") {
		return bad("format", "a live answer is always JSON")
	}
	if _, err := parseQuery(v, values, time.Now()); err != nil {
		return err
	}
	limits := s.Limits.For(access.From(r.Context()))
	ask := viewQuestion{s: s, view: v.Plan.Name, values: values, limits: limits}
	return s.Live.Serve(w, r, live.Question{
		Key: questionKey("view", v.Plan.Name, values, every, limits), Event: answerEvent, Every: every, Ask: ask.answer,
	})
}

// viewQuestion asks a view again and again.
type viewQuestion struct {
	s      *server
	view   string
	values url.Values
	limits query.Limits

	provenance merge.Provenance // of the last answer
	last       []byte           // nil: there is none
}

// answer asks once. Spans such as from=-1h are of the moment when it is called.
func (q *viewQuestion) answer(ctx context.Context) ([]byte, error) {
	v, err := q.s.Views.View(q.view) // anew, as it may be dropped and made again
	if err != nil {
		return nil, problem.New(http.StatusNotFound, "unknown-view", err.Error(), "")
	}
	question, err := parseQuery(v, q.values, time.Now())
	if err != nil {
		return nil, err
	}
	question.MaxRows = q.limits.Rows
	if q.last != nil {
		if unmoved, err := q.s.Merger.Unmoved(ctx, question, q.provenance); err != nil || unmoved {
			return q.last, err
		}
	}
	q.last = nil
	start := time.Now()
	result, err := withinTime(ctx, q.limits, viewHint, func(ctx context.Context) (*merge.Result, error) { return q.s.Merger.Run(ctx, question) })
	q.s.Queried(time.Since(start))
	if err != nil {
		return nil, err
	}
	provenance, err := json.Marshal(result.Provenance)
	if err != nil {
		return nil, fmt.Errorf("encode provenance: %w", err)
	}
	f, err := format.Named("json")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := f.Write(&text, result.Batch, format.Field{Name: "provenance", JSON: provenance}); err != nil {
		return nil, err
	}
	q.last, q.provenance = text.Bytes(), result.Provenance
	return q.last, nil
}

func (b *boardServer) liveTop(w http.ResponseWriter, r *http.Request) error {
	name, values := r.PathValue("board"), r.URL.Query()
	every, err := takeEvery(values)
	if err != nil {
		return err
	}
	known := []string{"window", "at", "wait", "n", "offset"}
	if _, err := b.scope(name, values, known...); err != nil {
		return err
	}
	n, offset, err := page(values)
	if err != nil {
		return err
	}
	limits := b.Limits.For(access.From(r.Context()))
	return b.Live.Serve(w, r, live.Question{
		Key: questionKey("top", name, values, every, limits), Event: answerEvent, Every: every,
		Ask: func(ctx context.Context) ([]byte, error) {
			s, err := b.scope(name, values, known...) // anew, as the board may be dropped and made again
			if err != nil {
				return nil, err
			}
			start := time.Now()
			answer, err := withinTime(ctx, limits, boardHint, func(ctx context.Context) (*leaderboard.Answer, error) {
				return b.ranks.Top(ctx, s, n, offset, "")
			})
			b.Queried(time.Since(start))
			if err != nil {
				return nil, err
			}
			return json.Marshal(answer)
		},
	})
}
