package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/client"
)

// TestStreaming reads the first row while the server has not written the second yet, and
// then breaks off the answer, which must not look whole.
func TestStreaming(t *testing.T) {
	more := make(chan struct{})
	k := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"meta":[{"name":"n","type":"Int64"}],"data":[{"n":1},`)
		w.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(w, `{"n":2}`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, client.Options{})
	rows, err := k.Rows(t.Context(), "x", client.SQLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || string(rows.Raw()[0]) != "1" {
		t.Fatalf("no first row: %v", rows.Err())
	}
	close(more)
	if !rows.Next() || string(rows.Raw()[0]) != "2" {
		t.Fatalf("no second row: %v", rows.Err())
	}
	if rows.Next() || rows.Err() == nil {
		t.Error("an answer that broke off looks whole")
	}
}

// TestCancel ends a request by its context, before the answer and inside of it, and waits
// until the server knows.
func TestCancel(t *testing.T) {
	for _, begun := range []bool{false, true} {
		came, gone := make(chan struct{}), make(chan struct{})
		k := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if begun {
				_, _ = io.WriteString(w, `{"meta":[{"name":"n","type":"Int64"}],"data":[{"n":1},`)
				w.(http.Flusher).Flush()
			}
			close(came)
			<-r.Context().Done()
			close(gone)
		}, client.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-came; cancel() }()
		if _, err := k.Query(ctx, "SELECT 1", client.SQLOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("begun %t: %v, want canceled", begun, err)
		}
		<-gone
	}
}

// TestLeaveLoop leaves an iterator in the middle, which ends the request.
func TestLeaveLoop(t *testing.T) {
	gone := make(chan struct{})
	k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{\"line\":1}\n{\"line\":2}\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}, client.Options{})
	for l, err := range k.DeadLetters(t.Context(), "s") {
		if err != nil || l.Line != 1 {
			t.Fatal(l, err)
		}
		break
	}
	<-gone
	k = serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{\"line\":1}\n{\"li") }, client.Options{})
	n, failed := 0, 0
	for _, err := range k.DeadLetters(t.Context(), "s") {
		if n++; err != nil {
			failed++
		}
	}
	if n != 2 || failed != 1 {
		t.Errorf("%d elements, %d errors from a line that broke off; want 2, 1", n, failed)
	}
}

// roundTripper answers in the process, so that time can be synctest's.
type roundTripper func(try int, r *http.Request) (*http.Response, error)

type counted struct {
	tries int
	times []time.Time
	by    roundTripper
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.tries++
	c.times = append(c.times, time.Now())
	return c.by(c.tries, r)
}

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

var errLost = errors.New("connection lost")

func TestRetries(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(file, []byte("skipped{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status := func(ctx context.Context, c *client.Client) error { _, err := c.Status(ctx); return err }
	keyed := func(body func() io.Reader) func(context.Context, *client.Client) error {
		return func(ctx context.Context, c *client.Client) error {
			_, err := c.Append(ctx, "s", body(), client.AppendOptions{IdempotencyKey: "k"})
			return err
		}
	}
	lost := func(try int, r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			if text, err := io.ReadAll(r.Body); err != nil || string(text) != "{}\n" {
				return nil, fmt.Errorf("try %d has the body %q: %w", try, text, errors.Join(errLost, err))
			}
		}
		if try < 3 {
			return nil, errLost
		}
		return reply(200, "{}"), nil
	}
	always := func(status int, header ...string) roundTripper {
		return func(int, *http.Request) (*http.Response, error) { return reply(status, "", header...), nil }
	}
	for _, c := range []struct {
		name    string
		retries int
		by      roundTripper
		call    func(context.Context, *client.Client) error
		tries   int
		fails   bool
		atLeast time.Duration // all waits together
	}{
		{"lost twice", 0, lost, status, 3, false, 0},
		{"an append of a string", 0, lost, keyed(func() io.Reader { return strings.NewReader("{}\n") }), 3, false, 0},
		{"an append of a buffer", 0, lost, keyed(func() io.Reader { return bytes.NewBufferString("{}\n") }), 3, false, 0},
		{"an append of a file from its middle", 0, lost, keyed(func() io.Reader {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			_, _ = f.Seek(7, io.SeekStart)
			return f
		}), 3, false, 0},
		{"an append of what can be read once", 0, lost, keyed(func() io.Reader { return io.MultiReader(strings.NewReader("{}\n")) }), 1, true, 0},
		{"an append without a key", 0, lost, func(ctx context.Context, c *client.Client) error {
			_, err := c.Append(ctx, "s", strings.NewReader("{}\n"), client.AppendOptions{})
			return err
		}, 1, true, 0},
		{"SQL", 0, always(503), func(ctx context.Context, c *client.Client) error {
			_, err := c.Query(ctx, "DROP VIEW v", client.SQLOptions{})
			return err
		}, 1, true, 0},
		{"a batch run", 0, always(503), func(ctx context.Context, c *client.Client) error { _, err := c.RunBatch(ctx, "v"); return err }, 1, true, 0},
		{"busy for ever", 0, always(503), status, client.DefaultRetries + 1, true, 0},
		{"busy for ever, twice", 2, always(429, "Retry-After", "7"), status, 3, true, 14 * time.Second},
		{"busy, not to be repeated", -1, always(503), status, 1, true, 0},
		{"busy for too long", 0, always(503, "Retry-After", "31"), status, 1, true, 0},
		{"a defect", 0, always(500), status, 1, true, 0},
		{"a refusal", 0, always(403), status, 1, true, 0},
		{"a time", 1, func(try int, _ *http.Request) (*http.Response, error) {
			return reply(503, "", "Retry-After", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), nil
		}, status, 2, true, 19 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := &counted{by: c.by}
				k, err := client.New("http://here", client.Options{HTTP: &http.Client{Transport: transport}, Retries: c.retries})
				if err != nil {
					t.Fatal(err)
				}
				err = c.call(t.Context(), k)
				if (err != nil) != c.fails || transport.tries != c.tries {
					t.Errorf("%d tries, %v; want %d", transport.tries, err, c.tries)
				}
				if took := transport.times[len(transport.times)-1].Sub(transport.times[0]); took < c.atLeast {
					t.Errorf("it waited for %s, want %s or more", took, c.atLeast)
				}
			})
		})
	}
	t.Run("canceled while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			transport := &counted{by: always(503, "Retry-After", "10")}
			k, err := client.New("http://here", client.Options{HTTP: &http.Client{Transport: transport}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			start := time.Now()
			var e *client.Error
			if err := status(ctx, k); !errors.As(err, &e) || e.Status != 503 || transport.tries != 1 || time.Since(start) != 3*time.Second {
				t.Errorf("%v after %d tries and %s; want the 503 after 1 and 3s", err, transport.tries, time.Since(start))
			}
		})
	})
}

// TestConcurrent has many goroutines append and query with one client; each request must
// reach a busy server once in the end.
func TestConcurrent(t *testing.T) {
	var requests atomic.Int64
	var mu sync.Mutex
	stored := map[string]string{}
	k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if requests.Add(1)%3 == 0 {
			problem.Write(w, problem.New(503, "busy", "busy", ""))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		stored[r.Header.Get("Idempotency-Key")] = string(body)
		_, _ = io.WriteString(w, `{"accepted":1}`)
	}, client.Options{Retries: 50})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			text := fmt.Sprintf(`{"n":%d}`, i)
			if _, err := k.Append(t.Context(), "s", strings.NewReader(text), client.AppendOptions{IdempotencyKey: text}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(stored) != 20 {
		t.Errorf("%d bodies were stored, want 20", len(stored))
	}
	for key, body := range stored {
		if key != body {
			t.Errorf("under the key %s is %s", key, body)
		}
	}
}
