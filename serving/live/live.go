// Package live sends answers as server-sent events for as long as somebody listens.
//
// The one invariant: all who ask the same question share one computation, which runs while
// there are any, and no listener can hold up the computation or another listener: one that
// reads too slowly misses what came between, and one that does not read at all is let go.
package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/internal/problem"
)

const (
	// ContentType is that of a stream of events.
	ContentType = "text/event-stream"
	// writeTimeout is how long a listener may take to read what is sent.
	writeTimeout = 10 * time.Second
	// heartbeat is how often something is sent where there is no news: proxies end
	// connections on which nothing moves, most of them after a minute.
	heartbeat = 15 * time.Second
	// partingTime is what a listener gets to read the rest when the hub is closed.
	partingTime = time.Second
	// reconnectAfter is how long a browser is told to wait before it comes again.
	reconnectAfter = time.Second
)

// ProblemEvent is the event of an answer that failed: its data is problem JSON.
const ProblemEvent = "problem"

// Question is what a stream answers again and again.
type Question struct {
	// Key names the question: two of one key have the same answer for whoever asks.
	Key string
	// Event is the name of the event that carries an answer.
	Event string
	// Every is how long to wait after an answer before the next is reckoned.
	Every time.Duration
	// Ask reckons the answer, a JSON text. It is called from one goroutine at a time.
	Ask func(ctx context.Context) ([]byte, error)
}

// Options of a Hub.
type Options struct {
	MaxStreams int // at a time
	// Still returns why a caller may listen no longer, as when its token was revoked. It is
	// called before everything that is sent.
	Still   func(*http.Request) error
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: not counted
	// WriteTimeout and Heartbeat are 10 and 15 seconds where they are 0.
	WriteTimeout, Heartbeat time.Duration
}

// Hub serves streams of events. It is safe for concurrent use.
type Hub struct {
	o       Options
	open    prometheus.Gauge
	slow    prometheus.Counter
	closing context.Context
	close   context.CancelFunc

	mu      sync.Mutex
	streams int
	topics  map[string]*topic
	work    sync.WaitGroup // of topics; grows only under mu and before closing
}

// New returns a hub.
func New(o Options) *Hub {
	if o.WriteTimeout == 0 {
		o.WriteTimeout = writeTimeout
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = heartbeat
	}
	h := &Hub{
		o: o, topics: map[string]*topic{},
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "millrace_live_streams", Help: "Streams of server-sent events that are open."}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "millrace_live_slow_total", Help: "Streams that were ended because nobody read them."}),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(h.open, h.slow)
	}
	h.closing, h.close = context.WithCancel(context.Background())
	return h
}

// Streams returns how many streams are open.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams
}

// Close ends every stream, refuses new ones, and returns when nothing is reckoned any more.
func (h *Hub) Close() {
	h.mu.Lock()
	h.close()
	h.mu.Unlock()
	h.work.Wait()
}

// Serve answers a request by a stream, until the client leaves, the hub is closed, or the
// caller may listen no longer. It returns an error, having written nothing, where there is
// no stream: where there are too many, or the first answer failed.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, q Question) error {
	t, leave, err := h.join(q)
	if err != nil {
		return err
	}
	defer leave()
	now, changed := t.latest()
	if now == nil {
		select {
		case <-changed:
		case <-r.Context().Done():
			return r.Context().Err()
		case <-h.closing.Done():
			return errClosing
		}
		now, changed = t.latest()
	}
	if now.err != nil {
		return now.err
	}
	out := h.begin(w)
	if r.Method == http.MethodHead {
		return nil
	}
	// A write that hangs would hold up the end of the process.
	stop := context.AfterFunc(h.closing, func() { _ = out.control.SetWriteDeadline(time.Now().Add(partingTime)) })
	defer stop()
	h.follow(r, out, t, now, changed)
	if h.closing.Err() == nil {
		_ = out.control.SetWriteDeadline(time.Time{}) // the connection may serve other requests
	}
	return nil
}

// follow sends a topic's events as they come.
func (h *Hub) follow(r *http.Request, out *output, t *topic, now *event, changed <-chan struct{}) {
	beat := time.NewTicker(h.o.Heartbeat)
	defer beat.Stop()
	next := now.wire
	for {
		err := h.o.Still(r)
		if err != nil {
			next = failure(err).wire
		}
		if !out.send(next) || err != nil {
			return
		}
		select {
		case <-changed:
			now, changed = t.latest()
			next = now.wire
		case <-beat.C:
			next = []byte(": still here\n\n")
		case <-r.Context().Done():
			return
		case <-h.closing.Done():
			return
		}
	}
}

var errClosing = problem.Busy("the server is about to stop", reconnectAfter)

// join listens to a question's topic, which is begun where it is the first.
func (h *Hub) join(q Question) (t *topic, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing.Err() != nil {
		return nil, nil, errClosing
	}
	if h.streams >= h.o.MaxStreams {
		p := problem.New(http.StatusTooManyRequests, "too-many-streams",
			fmt.Sprintf("%d streams are open already, the limit of this server (live.max_streams)", h.streams), "close one, or ask without /live now and then")
		p.RetryAfter = reconnectAfter
		return nil, nil, p
	}
	t = h.topics[q.Key]
	if t == nil {
		t = &topic{changed: make(chan struct{})}
		var ctx context.Context
		ctx, t.cancel = context.WithCancel(h.closing)
		h.topics[q.Key] = t
		h.work.Go(func() { h.reckon(ctx, t, q) })
	}
	t.listeners++
	h.streams++
	h.open.Inc()
	return t, func() { h.leave(q.Key, t) }, nil
}

// leave stops to listen; the last one ends the topic.
func (h *Hub) leave(key string, t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	h.open.Dec()
	if t.listeners--; t.listeners == 0 {
		delete(h.topics, key)
		t.cancel()
	}
}

// reckon answers a question until its last listener has left.
func (h *Hub) reckon(ctx context.Context, t *topic, q Question) {
	timer := time.NewTimer(q.Every)
	defer timer.Stop()
	for {
		data, err := h.ask(ctx, q)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if e := failure(err); t.publish(e) && e.status == http.StatusInternalServerError {
				h.o.Log.Error("answer a stream", "question", q.Key, "error", err)
			}
		} else {
			t.publish(newEvent(q.Event, data))
		}
		timer.Reset(q.Every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// ask asks once. A panic, which is a defect, must not take the process along: here no
// request's goroutine is there to catch it.
func (h *Hub) ask(ctx context.Context, q Question) (data []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			h.o.Log.Error("defect: a live question panicked", "question", q.Key, "panic", v, "stack", string(debug.Stack()))
			err = problem.New(http.StatusInternalServerError, "internal", "the question met a defect", "see the log of the server")
		}
	}()
	return q.Ask(ctx)
}

// topic is one question while it has listeners.
type topic struct {
	cancel    context.CancelFunc
	listeners int // guarded by Hub.mu

	mu      sync.Mutex
	now     *event        // nil: there is no answer yet
	changed chan struct{} // closed when now is replaced
}

func (t *topic) latest() (*event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now, t.changed
}

// publish replaces the newest event, unless it says the same.
func (t *topic) publish(e *event) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now != nil && bytes.Equal(t.now.wire, e.wire) {
		return false
	}
	t.now = e
	close(t.changed)
	t.changed = make(chan struct{})
	return true
}

// event is one event as it is sent. It is immutable.
type event struct {
	wire   []byte
	err    error // of an answer that failed
	status int   // of its problem
}

// newEvent frames an answer: each of its lines is a line of data.
func newEvent(name string, data []byte) *event {
	wire := make([]byte, 0, len(data)+len(data)/16+64)
	wire = append(append(append(wire, "event: "...), name...), '\n')
	for line := range bytes.Lines(bytes.TrimRight(data, "\n")) {
		wire = append(append(wire, "data: "...), bytes.TrimRight(line, "\n")...)
		wire = append(wire, '\n')
	}
	return &event{wire: append(wire, '\n')}
}

// failure is the event of an answer that failed.
func failure(err error) *event {
	p := problem.From(err)
	text, encoding := json.Marshal(p)
	if encoding != nil { // a problem is made of texts and numbers
		text = []byte("{}")
	}
	e := newEvent(ProblemEvent, text)
	e.err, e.status = p, p.Status
	return e
}

// output is the response of a stream.
type output struct {
	w       http.ResponseWriter
	control *http.ResponseController
	hub     *Hub
}

// begin sends the head of the response.
func (h *Hub) begin(w http.ResponseWriter) *output {
	header := w.Header()
	header.Set("Content-Type", ContentType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // proxies that gather what is sent would hold events back
	w.WriteHeader(http.StatusOK)
	o := &output{w, http.NewResponseController(w), h}
	o.send(fmt.Appendf(nil, "retry: %d\n\n", reconnectAfter.Milliseconds()))
	return o
}

// send writes and reports whether the client is there and reads.
func (o *output) send(text []byte) bool {
	if o.hub.closing.Err() == nil { // else the deadline is set already
		_ = o.control.SetWriteDeadline(time.Now().Add(o.hub.o.WriteTimeout)) // without it, as in tests, a write may take its time
	}
	_, err := o.w.Write(text)
	if err == nil {
		err = o.control.Flush()
	}
	if err != nil {
		if isTimeout(err) {
			o.hub.slow.Inc()
		}
		return false
	}
	return true
}

// isTimeout reports whether a write failed because nobody read.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
