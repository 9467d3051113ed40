package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a Storage in memory whose writes can be made to fail.
type store struct {
	mu      sync.Mutex
	objects map[string][]byte
	err     error
}

func newStore() *store { return &store{objects: map[string][]byte{}} }

func (s *store) Put(_ context.Context, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.objects[name] = data
	return nil
}

func (s *store) Get(_ context.Context, name string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[name]
	return data, ok, nil
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 3, 2, 1, 5e8, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, s Storage, c *clock) *Tokens {
	t.Helper()
	tokens, err := Open(t.Context(), s, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func create(t testing.TB, tokens *Tokens, r Request) (Token, string) {
	t.Helper()
	made, secret, err := tokens.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return made, secret
}

// refused checks that an error is a problem of a kind.
func refused(t testing.TB, err error, status int, kind string) {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != status || p.Type != "/problems/"+kind || p.Hint == "" {
		t.Errorf("got %#v, want %d %s with a hint", err, status, kind)
	}
}

func TestTokensSurviveRestartsAndSecretsAreNotKept(t *testing.T) {
	s, c := newStore(), newClock()
	tokens := open(t, s, c)
	made, secret := create(t, tokens, Request{Name: "site", Role: access.Ingest, Objects: []string{"b", "a", "b"}, Expires: "1h"})
	if !wellFormed(secret) || len(secret) != len("mr_")+43 {
		t.Errorf("secret %q", secret)
	}
	if stored := string(s.objects[objectName]); strings.Contains(stored, secret) || strings.Contains(stored, secret[3:]) {
		t.Error("the secret is kept")
	}
	want := access.Principal{ID: made.ID, Name: "site", Role: access.Ingest, Objects: []string{"a", "b"}}
	for range 2 {
		p, err := tokens.Find(secret)
		if err != nil || fmt.Sprint(p) != fmt.Sprint(want) {
			t.Errorf("found %+v, %v; want %+v", p, err, want)
		}
		if err := tokens.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		tokens = open(t, s, c)
	}
	list := tokens.List()
	if len(list) != 1 || list[0].LastUsed == nil || !list[0].LastUsed.Equal(c.now.Truncate(time.Minute)) {
		t.Errorf("listed %+v", list)
	}
	text, err := json.Marshal(list)
	if err != nil || strings.Contains(string(text), "sha256") {
		t.Errorf("the list shows %s, %v", text, err)
	}
}

func TestStatesOfTokens(t *testing.T) {
	s, c := newStore(), newClock()
	tokens := open(t, s, c)
	short, shortSecret := create(t, tokens, Request{Name: "short", Role: access.Read, Expires: "1h"})
	gone, goneSecret := create(t, tokens, Request{Name: "gone", Role: access.Read})
	_, absolute := create(t, tokens, Request{Name: "absolute", Role: access.Read, Expires: "2026-05-04T06:02:01+02:00"})
	if err := tokens.Revoke(t.Context(), gone.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Revoke(t.Context(), gone.ID, false); err != nil {
		t.Errorf("revoking again: %v", err)
	}
	refused(t, tokens.Revoke(t.Context(), "nothing", false), http.StatusNotFound, "unknown-token")
	why := func(secret string) string {
		_, err := tokens.Find(secret)
		var invalid errInvalid
		if err != nil && !errors.As(err, &invalid) {
			t.Fatal(err)
		}
		return invalid.why
	}
	check := func(now string, want map[string]string) {
		t.Helper()
		for secret, w := range want {
			if got := why(secret); got != w {
				t.Errorf("%s: %q, want %q", now, got, w)
			}
		}
	}
	other := newSecret()
	check("at once", map[string]string{shortSecret: "", goneSecret: "revoked", absolute: "", other: "unknown"})
	c.add(59 * time.Minute)
	tokens = open(t, s, c)
	check("59 minutes on", map[string]string{shortSecret: "", goneSecret: "revoked", absolute: ""})
	c.add(time.Minute)
	check("an hour on", map[string]string{shortSecret: "expired", goneSecret: "revoked", absolute: "expired", other: "unknown"})
	// Past 90 days they leave the list with the next change.
	c.add(91 * 24 * time.Hour)
	create(t, tokens, Request{Name: "new", Role: access.Read})
	check("91 days on", map[string]string{shortSecret: "unknown", goneSecret: "unknown"})
	for _, tk := range tokens.List() {
		if tk.ID == short.ID || tk.ID == gone.ID {
			t.Errorf("%s is still listed", tk.Name)
		}
	}
}

func TestBadRequestsForTokens(t *testing.T) {
	tokens := open(t, newStore(), newClock())
	many := make([]string, maxObjects+1)
	for i := range many {
		many[i] = fmt.Sprint("o", i)
	}
	for name, r := range map[string]Request{
		"no name":          {Role: access.Read},
		"long name":        {Name: strings.Repeat("x", maxNameBytes+1), Role: access.Read},
		"unprintable name": {Name: "a\nb", Role: access.Read},
		"no role":          {Name: "x"},
		"unknown role":     {Name: "x", Role: "root"},
		"admin of one":     {Name: "x", Role: access.Admin, Objects: []string{"a"}},
		"empty object":     {Name: "x", Role: access.Read, Objects: []string{""}},
		"long object":      {Name: "x", Role: access.Read, Objects: []string{strings.Repeat("x", maxObjectBytes+1)}},
		"many objects":     {Name: "x", Role: access.Read, Objects: many},
		"odd expiry":       {Name: "x", Role: access.Read, Expires: "tomorrow"},
		"past":             {Name: "x", Role: access.Read, Expires: "-1h"},
		"past time":        {Name: "x", Role: access.Read, Expires: "2020-01-01T00:00:00Z"},
		"for ever":         {Name: "x", Role: access.Read, Expires: "2200-01-01T00:00:00Z"},
	} {
		_, secret, err := tokens.Create(t.Context(), r)
		if secret != "" {
			t.Errorf("%s: a secret", name)
		}
		refused(t, err, http.StatusBadRequest, "bad-token-request")
	}
	if n := len(tokens.List()); n != 0 {
		t.Errorf("%d tokens were made", n)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	c := newClock()
	tokens := open(t, newStore(), c)
	if tokens.HasAdmin() {
		t.Error("an admin from nowhere")
	}
	first, _ := create(t, tokens, Request{Name: "first", Role: access.Admin})
	create(t, tokens, Request{Name: "reader", Role: access.SQL})
	second, _ := create(t, tokens, Request{Name: "second", Role: access.Admin, Expires: "1h"})
	c.add(2 * time.Hour) // the second has expired: it is no other admin
	refused(t, tokens.Revoke(t.Context(), first.ID, true), http.StatusConflict, "last-admin")
	if err := tokens.Revoke(t.Context(), second.ID, true); err != nil {
		t.Errorf("an expired one: %v", err)
	}
	third, _ := create(t, tokens, Request{Name: "third", Role: access.Admin})
	if err := tokens.Revoke(t.Context(), first.ID, true); err != nil {
		t.Error(err)
	}
	refused(t, tokens.Revoke(t.Context(), third.ID, true), http.StatusConflict, "last-admin")
	if !tokens.HasAdmin() {
		t.Error("no admin is left")
	}
	// Where the own machine is trusted, it may go.
	if err := tokens.Revoke(t.Context(), third.ID, false); err != nil || tokens.HasAdmin() {
		t.Errorf("%v, has admin %v", err, tokens.HasAdmin())
	}
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	s, c := newStore(), newClock()
	tokens := open(t, s, c)
	made, secret := create(t, tokens, Request{Name: "a", Role: access.Read})
	s.err = errors.New("disk full")
	if _, leaked, err := tokens.Create(t.Context(), Request{Name: "b", Role: access.Read}); !errors.Is(err, s.err) || leaked != "" {
		t.Errorf("create: %q, %v", leaked, err)
	}
	if err := tokens.Revoke(t.Context(), made.ID, false); !errors.Is(err, s.err) {
		t.Errorf("revoke: %v", err)
	}
	if _, err := tokens.Find(secret); err != nil {
		t.Errorf("the token that could not be revoked: %v", err)
	}
	if err := tokens.Flush(t.Context()); !errors.Is(err, s.err) {
		t.Errorf("flush: %v", err)
	}
	s.err = nil
	if err := tokens.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := open(t, s, c).List(); len(list) != 1 || list[0].LastUsed == nil {
		t.Errorf("kept %+v", list)
	}
}

func TestUnreadableTokensAreRefused(t *testing.T) {
	for _, text := range []string{"", "{", `{"format":2}`, `{"format":1,"tokens":[{"id":"a","sha256":"12"}]}`, `{"format":1,"tokens":[{"id":"a","sha256":"zz"}]}`} {
		s := newStore()
		s.objects[objectName] = []byte(text)
		if _, err := Open(t.Context(), s, time.Now); err == nil || !strings.Contains(err.Error(), objectName) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestTokensAgreeWithAModel runs random creations, revocations, waits and restarts beside
// a model that keeps secrets in the clear.
func TestTokensAgreeWithAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, c := newStore(), newClock()
		tokens := open(t, s, c)
		type known struct {
			id      string
			expires time.Time
			revoked bool
		}
		model := map[string]*known{}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				hours := rapid.IntRange(0, 5).Draw(rt, "hours")
				r := Request{Name: "x", Role: rapid.SampledFrom(access.Roles).Draw(rt, "role")}
				k := &known{}
				if hours > 0 {
					r.Expires = fmt.Sprintf("%dh", hours)
					k.expires = c.now.Add(time.Duration(hours) * time.Hour)
				}
				made, secret := create(t, tokens, r)
				k.id = made.ID
				model[secret] = k
			},
			"revoke": func(rt *rapid.T) {
				if len(model) == 0 {
					return
				}
				k := model[rapid.SampledFrom(slices.Sorted(maps.Keys(model))).Draw(rt, "secret")]
				if err := tokens.Revoke(t.Context(), k.id, false); err != nil {
					rt.Fatal(err)
				}
				k.revoked = true
			},
			"wait":    func(*rapid.T) { c.add(61 * time.Minute) },
			"restart": func(*rapid.T) { tokens = open(t, s, c) },
			"": func(rt *rapid.T) {
				for secret, k := range model {
					want := !k.revoked && (k.expires.IsZero() || c.now.Before(k.expires))
					if p, err := tokens.Find(secret); (err == nil) != want || err == nil && p.ID != k.id {
						rt.Fatalf("%s: %+v, %v; want valid %v", k.id, p, err, want)
					}
				}
			},
		})
	})
}
