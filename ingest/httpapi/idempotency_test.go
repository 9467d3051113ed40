package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/millrace/millrace/ingest/decode"
)

const twoClicks = `{"ts":"2026-01-02T03:00:00Z","user_id":"u1","page":"/"}
{"ts":"2026-01-02T03:00:01Z","user_id":"u2","page":"/a"}
`

// beacon posts as navigator.sendBeacon does: text/plain, and nothing but the URL to say more.
func (f *fixture) beacon(query, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/streams/clicks/events"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	r.Header.Set("Origin", "https://shop.example")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestBeaconIsTakenOnce(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	for try := range 3 {
		w := f.beacon("?key=mr_x&idempotency_key=batch-1", twoClicks)
		var got Reply
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || got.Accepted != 2 || got.Duplicate != (try > 0) {
			t.Errorf("try %d: %d %s", try, w.Code, w.Body)
		}
	}
	// By the header it is the same key.
	if w := f.post(twoClicks, "Idempotency-Key", "batch-1"); w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("by the header: %d %s", w.Code, w.Body)
	}
	if n := f.rows(t); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestKeysOfARequestMustAgree(t *testing.T) {
	f := newFixture(t, decode.Limits{})
	const path = "/v1/streams/clicks/events?idempotency_key="
	for name, c := range map[string]struct {
		parameter, header string
		status            int
	}{
		"equal":     {"a", "a", 200},
		"different": {"b", "c", 400},
		"too long":  {strings.Repeat("x", maxKeyBytes+1), "", 400},
	} {
		r := httptest.NewRequest(http.MethodPost, path+c.parameter, strings.NewReader(twoClicks))
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.Header.Set("Idempotency-Key", c.header)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != c.status || w.Code == 400 && !strings.Contains(w.Body.String(), "/problems/idempotency-key") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
