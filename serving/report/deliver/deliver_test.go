package deliver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func TestWebhook(t *testing.T) {
	m := message()
	var mu sync.Mutex
	var seen *http.Request
	var body []byte
	status, header := http.StatusNoContent, http.Header{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = r
		body, _ = io.ReadAll(r.Body)
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
	}))
	defer web.Close()
	c := newCourier(t, Options{Webhook: WebhookOptions{Secret: "s3cret"}})
	to := target(t, web.URL+"/hook/path-is-a-password?token=query-is-a-password")
	if err := c.Deliver(t.Context(), to, m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": m.Type, "Idempotency-Key": m.Key, "Millrace-Report": "daily", "Millrace-Run": m.Run, "Millrace-Tick": "2026-01-31T08:00:00Z",
		"Content-Disposition": "attachment; filename=daily-2026-01-31T0800.csv",
	} {
		if got := seen.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if seen.Method != http.MethodPost || seen.URL.RequestURI() != "/hook/path-is-a-password?token=query-is-a-password" || !bytes.Equal(body, m.Content) {
		t.Errorf("%s %s: %q", seen.Method, seen.URL, body)
	}
	if !signed(seen.Header.Get(SignatureHeader), "s3cret", body) {
		t.Errorf("signature %q", seen.Header.Get(SignatureHeader))
	}
	for _, k := range []struct {
		status int
		header http.Header
		final  bool
		after  time.Duration
	}{
		{500, nil, false, 0}, {503, http.Header{"Retry-After": {"120"}}, false, 2 * time.Minute}, {429, http.Header{"Retry-After": {"7"}}, false, 7 * time.Second},
		{408, nil, false, 0}, {400, nil, true, 0}, {404, nil, true, 0}, {401, nil, true, 0}, {302, http.Header{"Location": {"/elsewhere"}}, true, 0},
	} {
		mu.Lock()
		status, header, seen = k.status, k.header, nil
		mu.Unlock()
		err := c.Deliver(t.Context(), to, m)
		if err == nil || Final(err) != k.final || RetryAfter(err) != k.after {
			t.Errorf("%d: %v, final %v, after %s", k.status, err, Final(err), RetryAfter(err))
		}
		if strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("a secret is in %v", err)
		}
		if seen.URL.Path == "/elsewhere" {
			t.Error("a redirect was followed")
		}
	}
}

// signed checks a signature as a receiver does by what the documentation says.
func signed(header, secret string, body []byte) bool {
	seconds, digest, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(seconds + "." + string(body)))
	return ok && hex.EncodeToString(h.Sum(nil)) == digest
}

func TestWebhookThatDoesNotAnswer(t *testing.T) {
	hang := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer web.Close()
	defer close(hang)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, address := range map[string]string{"it hangs": web.URL, "nobody listens": gone.URL} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := newCourier(t, Options{}).Deliver(ctx, target(t, address+"/password"), message())
		cancel()
		if err == nil || Final(err) || strings.Contains(err.Error(), "password") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEachKindHasItsSlots: attempts of one kind that hang leave the others alone.
func TestEachKindHasItsSlots(t *testing.T) {
	hang := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer web.Close()
	defer close(hang)
	c := newCourier(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	for range 3 * slots {
		hanging.Go(func() { _ = c.Deliver(ctx, target(t, web.URL), message()) })
	}
	if err := c.Deliver(t.Context(), target(t, "file:a.csv"), message()); err != nil {
		t.Error(err)
	}
	cancel()
	hanging.Wait()
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	c := newCourier(t, Options{Dir: filepath.Join(dir, "out")})
	m := message()
	to := target(t, "file:{report}/{date}-{time}/{run}.csv")
	for range 2 {
		if err := c.Deliver(t.Context(), to, m); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "out", "daily", "2026-01-31-080000", "20260131T080000Z.csv")
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, m.Content) {
		t.Errorf("%q, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	// A link out of the directory leads nowhere.
	if err := os.Symlink(dir, filepath.Join(dir, "out", "link")); err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(t.Context(), target(t, "file:link/escaped.csv"), m); err == nil {
		t.Error("a file was written through a link")
	}
	if _, err := os.Stat(filepath.Join(dir, "escaped.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("outside: %v", err)
	}
}

func TestS3(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("reports"); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	defer web.Close()
	o := S3Options{Endpoint: web.URL, Region: "eu-central-1", AccessKey: "AK", SecretKey: "hunter2"}
	c := newCourier(t, Options{S3: o})
	m := message()
	for range 2 {
		if err := c.Deliver(t.Context(), target(t, "s3://reports/daily/{date}.csv"), m); err != nil {
			t.Fatal(err)
		}
	}
	object, err := backend.GetObject("reports", "daily/2026-01-31.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Contents.Close()
	content, err := io.ReadAll(object.Contents)
	if err != nil || !bytes.Equal(content, m.Content) || object.Metadata["Content-Type"] != m.Type {
		t.Errorf("%q of %v, %v", content, object.Metadata, err)
	}
	if err := c.Deliver(t.Context(), target(t, "s3://no-such-bucket/x"), m); err == nil || !Final(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no bucket: %v", err)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	o.Endpoint = gone.URL
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := newCourier(t, Options{S3: o}).Deliver(ctx, target(t, "s3://reports/x"), m); err == nil || Final(err) {
		t.Errorf("no server: %v", err)
	}
}
