// Package auth decides who a request comes from and whether it may pass: tokens, trust in
// the own machine, rights, origins and rates.
//
// The one invariant: no handler of a route runs before the Gate has found the caller and
// its right, and the secret of a token is known to its holder only: what is kept is a hash.
package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
)

const (
	// objectName is where the tokens are in the lake's store.
	objectName = "tokens.json"
	// formatVersion is written into the object; a reader refuses what it does not know.
	formatVersion = 1
	// maxTokens bounds the tokens: they are written whole at each change.
	maxTokens = 10_000
	// keptDead is how long a revoked or expired token stays in the list, so that its holder
	// is told which it is.
	keptDead = 90 * 24 * time.Hour
	// usedGrain is the grain of the time of last use.
	usedGrain = time.Minute
)

// Storage is where the tokens are kept: Put replaces an object in one atomic, durable
// step; Get says whether there is one.
type Storage interface {
	Put(ctx context.Context, name string, data []byte) error
	Get(ctx context.Context, name string) (data []byte, found bool, err error)
}

// Tokens is the set of tokens. It is safe for concurrent use; looking one up never blocks.
type Tokens struct {
	storage Storage
	now     func() time.Time

	change sync.Mutex // held over each change, its writing included
	dirty  atomic.Bool
	state  atomic.Pointer[set]
}

// record is one token with its hash. What it holds never changes but for the time of use.
type record struct {
	Token
	hash hash
	used *atomic.Int64 // seconds since 1970; 0: never
}

// set is the tokens at a moment; it never changes.
type set struct {
	byHash map[hash]*record
	byID   map[string]*record
}

// document is the stored form.
type document struct {
	Format int      `json:"format"`
	Tokens []stored `json:"tokens"`
}

type stored struct {
	Token
	SHA256 string `json:"sha256"`
}

// Open reads the tokens from their storage; where there is nothing, there are none. now is
// time.Now but in tests.
func Open(ctx context.Context, storage Storage, now func() time.Time) (*Tokens, error) {
	t := &Tokens{storage: storage, now: now}
	data, found, err := storage.Get(ctx, objectName)
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	s := &set{byHash: map[hash]*record{}, byID: map[string]*record{}}
	if found {
		var d document
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("open tokens: decode %s: %w", objectName, err)
		}
		if d.Format != formatVersion {
			return nil, fmt.Errorf("open tokens: %s has format %d, this release reads %d", objectName, d.Format, formatVersion)
		}
		for _, kept := range d.Tokens {
			r := &record{Token: kept.Token, used: &atomic.Int64{}}
			if n, err := hex.Decode(r.hash[:], []byte(kept.SHA256)); err != nil || n != len(r.hash) {
				return nil, fmt.Errorf("open tokens: token %s of %s has no hash", kept.ID, objectName)
			}
			if len(r.Objects) == 0 {
				r.Objects = nil
			}
			if r.LastUsed != nil {
				r.used.Store(r.LastUsed.Unix())
			}
			s.add(r)
		}
	}
	t.state.Store(s)
	return t, nil
}

func (s *set) add(r *record) { s.byHash[r.hash], s.byID[r.ID] = r, r }

// Create makes a token and returns it with its secret, which is nowhere else.
func (t *Tokens) Create(ctx context.Context, r Request) (Token, string, error) {
	t.change.Lock()
	defer t.change.Unlock()
	now := t.now()
	made, err := r.check(now)
	if err != nil {
		return Token{}, "", err
	}
	next := t.state.Load().without(now.Add(-keptDead))
	if len(next.byID) >= maxTokens {
		return Token{}, "", problem.New(http.StatusConflict, "too-many-tokens", fmt.Sprintf("there are %d tokens, which is the limit", maxTokens),
			"give several senders one token, or let tokens expire: they leave the list 90 days later")
	}
	secret := newSecret()
	made.ID = newID()
	next.add(&record{Token: made, hash: hashOf(secret), used: &atomic.Int64{}})
	if err := t.publish(ctx, next); err != nil {
		return Token{}, "", fmt.Errorf("create token %q: %w", r.Name, err)
	}
	return made, secret, nil
}

// Revoke ends a token, durably, at once. Where keepAdmin is set the last valid admin token
// stays: nobody could make another.
func (t *Tokens) Revoke(ctx context.Context, id string, keepAdmin bool) error {
	t.change.Lock()
	defer t.change.Unlock()
	now := t.now()
	s := t.state.Load()
	old := s.byID[id]
	if old == nil {
		return problem.New(http.StatusNotFound, "unknown-token", fmt.Sprintf("there is no token with the id %q", id), "GET /v1/tokens lists them")
	}
	if old.Revoked != nil {
		return nil
	}
	if keepAdmin && old.Role == access.Admin && old.state(now) == "" && s.admins(now) == 1 {
		return problem.New(http.StatusConflict, "last-admin", fmt.Sprintf("token %q is the last valid admin token", old.Name),
			"make another admin token first: nobody could manage this server without one")
	}
	next := s.without(now.Add(-keptDead))
	revoked := &record{Token: old.Token, hash: old.hash, used: old.used}
	at := now.UTC().Truncate(time.Second)
	revoked.Revoked = &at
	next.add(revoked)
	if err := t.publish(ctx, next); err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}

// List returns all tokens, the oldest first.
func (t *Tokens) List() []Token {
	s := t.state.Load()
	list := make([]Token, 0, len(s.byID))
	for _, r := range s.byID {
		list = append(list, r.current())
	}
	slices.SortFunc(list, func(a, b Token) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return list
}

// HasAdmin reports whether there is a valid admin token.
func (t *Tokens) HasAdmin() bool { return t.state.Load().admins(t.now()) > 0 }

// errInvalid is why a secret lets nobody in: unknown, revoked or expired.
type errInvalid struct{ why string }

func (e errInvalid) Error() string { return "the token is " + e.why }

// Find returns the principal of a secret and keeps that it was used.
func (t *Tokens) Find(secret string) (access.Principal, error) {
	h := hashOf(secret)
	// The map is searched by the hash, of which a caller cannot choose the bytes, so that
	// the time of the search tells nothing; the comparison is in constant time besides.
	r := t.state.Load().byHash[h]
	if r == nil || subtle.ConstantTimeCompare(r.hash[:], h[:]) != 1 {
		return access.Principal{}, errInvalid{"unknown"}
	}
	now := t.now()
	if why := r.state(now); why != "" {
		return access.Principal{}, errInvalid{why}
	}
	if used := now.Truncate(usedGrain).Unix(); r.used.Load() < used {
		r.used.Store(used)
		t.dirty.Store(true)
	}
	return r.principal(), nil
}

// Flush writes down when tokens were last used, where that has changed. What it cannot
// write it keeps for the next time.
func (t *Tokens) Flush(ctx context.Context) error {
	if !t.dirty.Load() {
		return nil
	}
	t.change.Lock()
	defer t.change.Unlock()
	if err := t.publish(ctx, t.state.Load()); err != nil {
		return fmt.Errorf("write last use of tokens: %w", err)
	}
	return nil
}

// publish makes a set durable, then visible.
func (t *Tokens) publish(ctx context.Context, next *set) error {
	t.dirty.Store(false)
	d := document{Format: formatVersion, Tokens: []stored{}}
	for _, id := range slices.Sorted(maps.Keys(next.byID)) {
		r := next.byID[id]
		d.Tokens = append(d.Tokens, stored{r.current(), hex.EncodeToString(r.hash[:])})
	}
	data, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = t.storage.Put(ctx, objectName, data)
	}
	if err != nil {
		t.dirty.Store(true)
		return fmt.Errorf("write %s: %w", objectName, err)
	}
	t.state.Store(next)
	return nil
}

// current returns the token with its time of use.
func (r *record) current() Token {
	t := r.Token
	t.LastUsed = nil
	if n := r.used.Load(); n != 0 {
		at := time.Unix(n, 0).UTC()
		t.LastUsed = &at
	}
	if t.Objects == nil {
		t.Objects = []string{}
	}
	return t
}

// without returns a copy that lacks what was dead before then.
func (s *set) without(then time.Time) *set {
	next := &set{byHash: maps.Clone(s.byHash), byID: maps.Clone(s.byID)}
	for id, r := range s.byID {
		if r.Revoked != nil && r.Revoked.Before(then) || r.Expires != nil && r.Expires.Before(then) {
			delete(next.byID, id)
			delete(next.byHash, r.hash)
		}
	}
	return next
}

// admins counts the valid admin tokens.
func (s *set) admins(now time.Time) int {
	n := 0
	for _, r := range s.byID {
		if r.Role == access.Admin && r.state(now) == "" {
			n++
		}
	}
	return n
}
