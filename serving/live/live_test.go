package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is what questions are about: a text that the test changes.
type source struct {
	mu    sync.Mutex
	text  string
	err   error
	panic bool
	asked atomic.Int64
}

func (s *source) set(text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.err = text, err
}

func (s *source) ask(context.Context) ([]byte, error) {
	s.asked.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.panic {
		panic("a defect")
	}
	return []byte(s.text), s.err
}

// world is a hub behind a server that answers every path by a stream of that question.
type world struct {
	t      *testing.T
	hub    *Hub
	source *source
	server *httptest.Server
	shown  *prometheus.Registry
	still  atomic.Pointer[problem.Problem]
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, source: &source{text: `{"n":1}`}, shown: prometheus.NewRegistry()}
	if o.MaxStreams == 0 {
		o.MaxStreams = 10_000
	}
	o.Metrics = w.shown
	o.Log = slog.New(slog.DiscardHandler)
	o.Still = func(*http.Request) error {
		if p := w.still.Load(); p != nil {
			return p
		}
		return nil
	}
	w.hub = New(o)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		err := w.hub.Serve(rw, r, Question{Key: r.URL.Path, Event: "answer", Every: 10 * time.Millisecond, Ask: w.source.ask})
		if err != nil {
			problem.Write(rw, err)
		}
	}))
	t.Cleanup(w.server.Close)
	t.Cleanup(w.hub.Close)
	return w
}

// listener is a client of a stream.
type listener struct {
	t     *testing.T
	reply *http.Response
	lines *bufio.Reader
}

func (w *world) listen(path string) *listener {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	reply, err := w.server.Client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cancel(); _ = reply.Body.Close() })
	return &listener{w.t, reply, bufio.NewReader(reply.Body)}
}

// next reads the next block of lines that is none of retry; io.EOF ends the stream.
func (l *listener) next() (string, error) {
	var block strings.Builder
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == "\n" {
			if text := block.String(); !strings.HasPrefix(text, "retry:") {
				return text, nil
			}
			block.Reset()
			continue
		}
		block.WriteString(line)
	}
}

func (l *listener) expect(want string) {
	l.t.Helper()
	got, err := l.next()
	if err != nil || !strings.Contains(got, want) {
		l.t.Fatalf("%q %v, want %q", got, err, want)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// metric reads a counter or gauge as it is shown.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	families, err := w.shown.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric()[0]; f.GetName() == name {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	w.t.Fatalf("there is no metric %s", name)
	return 0
}

func TestOneComputationForAllWhoAsk(t *testing.T) {
	w := newWorld(t, Options{})
	const many = 200
	listeners := make([]*listener, many)
	for i := range listeners {
		listeners[i] = w.listen("/same")
		listeners[i].expect("event: answer\ndata: {\"n\":1}\n")
	}
	if n := len(w.hub.topics); n != 1 {
		t.Errorf("%d computations", n)
	}
	for i := range 3 {
		w.source.set(fmt.Sprintf("{\n \"n\": %d\n}\n", i), nil)
		for _, l := range listeners {
			l.expect(fmt.Sprintf("event: answer\ndata: {\ndata:  \"n\": %d\ndata: }\n", i))
		}
	}
	if got := w.metric("millrace_live_streams"); got != many {
		t.Errorf("%v streams are counted", got)
	}
	for _, l := range listeners {
		_ = l.reply.Body.Close()
	}
	eventually(t, "those who left are forgotten", func() bool { return w.hub.Streams() == 0 && len(w.hub.topics) == 0 })
	asked := w.source.asked.Load()
	time.Sleep(100 * time.Millisecond) // ten times what it was asked at
	if now := w.source.asked.Load(); now > asked+1 {
		t.Errorf("asked %d times more with nobody listening", now-asked)
	}
}

func TestHead(t *testing.T) {
	w := newWorld(t, Options{})
	l := w.listen("/a")
	h := l.reply.Header
	if l.reply.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Encoding") != "" {
		t.Errorf("%d %v", l.reply.StatusCode, h)
	}
	if line, err := l.lines.ReadString('\n'); line != "retry: 1000\n" || err != nil {
		t.Errorf("%q %v", line, err)
	}
	head, err := w.server.Client().Head(w.server.URL + "/a")
	if err != nil || head.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("HEAD: %v %v", head, err)
	}
	_ = head.Body.Close()
}

func TestAFirstFailureIsNoStreamAndALaterOneIsAnEvent(t *testing.T) {
	w := newWorld(t, Options{})
	w.source.set("", problem.Busy("not yet", time.Second))
	if l := w.listen("/a"); l.reply.StatusCode != http.StatusServiceUnavailable || l.reply.Header.Get("Content-Type") != problem.ContentType || l.reply.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %v", l.reply.StatusCode, l.reply.Header)
	}
	w.source.set(`{"n":1}`, nil)
	l := w.listen("/a")
	l.expect(`{"n":1}`)
	w.source.set("", problem.Busy("gone", time.Second))
	l.expect("event: problem\ndata: {\"type\":\"/problems/busy\"")
	if late := w.listen("/a"); late.reply.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("who comes while it fails: %d", late.reply.StatusCode)
	}
	w.source.set("", errors.New("the disk is on fire"))
	l.expect("the disk is on fire")
	w.source.set(`{"n":1}`, nil)
	l.expect("event: answer\ndata: {\"n\":1}\n")
	w.source.mu.Lock()
	w.source.panic = true
	w.source.mu.Unlock()
	l.expect("the question met a defect")
}

func TestTooManyStreams(t *testing.T) {
	w := newWorld(t, Options{MaxStreams: 2})
	first := w.listen("/a")
	first.expect("n")
	w.listen("/b").expect("n")
	refused := w.listen("/a")
	text, _ := io.ReadAll(refused.reply.Body)
	if refused.reply.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(text), "live.max_streams") || refused.reply.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", refused.reply.StatusCode, text)
	}
	_ = first.reply.Body.Close()
	eventually(t, "there is room again", func() bool { return w.listen("/c").reply.StatusCode == http.StatusOK })
}

func TestWhoMayListenNoLongerIsTold(t *testing.T) {
	for name, o := range map[string]Options{"at the next answer": {}, "at the next heartbeat": {Heartbeat: 20 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, o)
			l := w.listen("/a")
			l.expect("n")
			w.still.Store(problem.New(http.StatusUnauthorized, "token-revoked", "the token was revoked", ""))
			if o.Heartbeat == 0 {
				w.source.set(`{"n":"secret"}`, nil)
			}
			for {
				text, err := l.next()
				if err != nil || strings.Contains(text, "secret") {
					t.Fatalf("%q %v", text, err)
				}
				if strings.HasPrefix(text, "event: problem") && strings.Contains(text, "token-revoked") {
					break
				}
			}
			if text, err := l.next(); !errors.Is(err, io.EOF) {
				t.Errorf("it goes on: %q %v", text, err)
			}
		})
	}
}

func TestHeartbeats(t *testing.T) {
	w := newWorld(t, Options{Heartbeat: 10 * time.Millisecond})
	l := w.listen("/a")
	l.expect("n")
	l.expect(": still here")
	l.expect(": still here")
}

// TestAStalledClientIsLetGo opens a connection and never reads, beside one that does: the
// other is served as if the first were not there, and the first is freed.
func TestAStalledClientIsLetGo(t *testing.T) {
	w := newWorld(t, Options{WriteTimeout: 200 * time.Millisecond})
	stalled, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	_ = stalled.(*net.TCPConn).SetReadBuffer(4 << 10)
	if _, err := io.WriteString(stalled, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	l := w.listen("/a")
	l.expect(`{"n":1}`)
	eventually(t, "both are there", func() bool { return w.hub.Streams() == 2 })
	big := strings.Repeat("x", 1<<20)
	for i := 0; w.hub.Streams() == 2; i++ {
		w.source.set(fmt.Sprintf(`"%d %s"`, i, big), nil)
		began := time.Now()
		l.expect(fmt.Sprintf("%d x", i))
		if took := time.Since(began); took > 10*time.Second {
			t.Fatalf("the client that reads waited %s", took)
		}
		if i > 1000 {
			t.Fatal("a gigabyte was sent to who does not read")
		}
	}
	if got := w.metric("millrace_live_slow_total"); got != 1 {
		t.Errorf("%v are counted as slow", got)
	}
}

// TestASlowClientMissesWhatCameBetween reads only after many answers have come: it is sent
// what was under way, and then the newest.
func TestASlowClientMissesWhatCameBetween(t *testing.T) {
	w := newWorld(t, Options{})
	slow, quick := w.listen("/a"), w.listen("/a")
	quick.expect("n")
	big := strings.Repeat("x", 1<<20)
	const answers = 60
	for i := range answers {
		w.source.set(fmt.Sprintf(`"%d %s"`, i, big), nil)
		quick.expect(fmt.Sprintf("%d x", i))
	}
	for seen := 0; ; seen++ {
		text, err := slow.next()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, fmt.Sprintf(`"%d x`, answers-1)) {
			if seen >= answers {
				t.Errorf("it was sent all of %d answers", seen)
			}
			return
		}
	}
}

// TestCloseEndsEverything closes the hub under listeners of which one does not read.
func TestCloseEndsEverything(t *testing.T) {
	w := newWorld(t, Options{})
	w.source.set(`"`+strings.Repeat("x", 32<<20)+`"`, nil)
	stalled, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	if _, err := io.WriteString(stalled, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	l := w.listen("/a")
	l.expect("x")
	eventually(t, "both are there", func() bool { return w.hub.Streams() == 2 })
	began := time.Now()
	w.hub.Close()
	if _, err := l.next(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream does not end as a whole: %v", err)
	}
	eventually(t, "all are gone", func() bool { return w.hub.Streams() == 0 })
	if took := time.Since(began); took > writeTimeout/2 {
		t.Errorf("it took %s", took)
	}
	if late := w.listen("/a"); late.reply.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("who comes later: %d", late.reply.StatusCode)
	}
}

// TestComingAndGoing has listeners of several questions come and go at random.
func TestComingAndGoing(t *testing.T) {
	w := newWorld(t, Options{})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 10 {
				l := w.listen(fmt.Sprintf("/%d", i%3))
				l.expect("n")
				_ = l.reply.Body.Close()
			}
		})
	}
	wg.Wait()
	eventually(t, "nothing is left", func() bool {
		w.hub.mu.Lock()
		defer w.hub.mu.Unlock()
		return w.hub.streams == 0 && len(w.hub.topics) == 0
	})
}
