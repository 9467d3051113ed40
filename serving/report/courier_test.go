package report

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/serving/report/deliver"
	"github.com/millrace/millrace/serving/report/ledger"
)

// TestAWebhookThatFailsAndThenWorks has the real courier and a real server: a connection that
// breaks off, 500 and 429, and then success, all under one key.
func TestAWebhookThatFailsAndThenWorks(t *testing.T) {
	var mu sync.Mutex
	var keys []string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch len(keys) {
		case 1:
			panic(http.ErrAbortHandler) // net/http's way to break off
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
		case 3:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer hook.Close()
	w := newWorld(t, "CREATE REPORT r SCHEDULE '@yearly' AS SELECT 1 WITH (format = 'csv', deliver = '"+hook.URL+"/x')")
	courier, err := deliver.New(deliver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer courier.Close()
	o := w.options(w.store, nil)
	o.Courier, o.Backoff = courier, Backoff{First: 10 * time.Millisecond, Longest: time.Second, Attempts: 10, Within: time.Minute}
	o.Ledger = ledger.New(ledger.Options{Store: w.store, Lease: time.Second})
	s := Start(o)
	defer func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.RunNow(t.Context(), w.reports[0]); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	r := w.runs(t, w.reports[0])[0]
	for !r.State.Ended() && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		r = w.runs(t, w.reports[0])[0]
	}
	mu.Lock()
	defer mu.Unlock()
	if r.State != ledger.Delivered || r.Deliveries[0].Attempts != 4 || r.Deliveries[0].Error != "" || w.answers.asked != 1 {
		t.Errorf("%+v, the query ran %d times", r.Run, w.answers.asked)
	}
	if strings.Join(keys, " ") != strings.TrimSpace(strings.Repeat(keys[0]+" ", 4)) {
		t.Errorf("keys %v", keys)
	}
}
