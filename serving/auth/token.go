package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
)

const (
	// secretPrefix begins every token, so that scanners of code and logs find lost ones.
	secretPrefix = "mr_"
	// secretBytes are the random bytes of a token: 256 bits cannot be guessed, online or
	// from their hash.
	secretBytes = 32
	// idLetters is the length of an id: 60 bits, which no two of a million tokens share.
	idLetters = 12
	// maxNameBytes bounds a token's name: a line of a list.
	maxNameBytes = 100
	// maxObjects bounds the objects of a token; who needs more of them takes all.
	maxObjects = 1000
	// maxObjectBytes bounds one of them, beyond what a definition's name may have.
	maxObjectBytes = 256
	// maxLifetime is the longest life of a token that expires: past it, none is meant.
	maxLifetime = 100 * 365 * 24 * time.Hour
)

// Token is what is known of a token: everything but its secret.
type Token struct {
	ID   string      `json:"id" jsonschema:"names the token in lists and in the audit log"`
	Name string      `json:"name" jsonschema:"for people"`
	Role access.Role `json:"role" jsonschema:"ingest, read, sql or admin"`
	// Objects are the streams of an ingest token, or the views, streams and leaderboards
	// of a read or sql token; empty is all.
	Objects  []string   `json:"objects" jsonschema:"what the token is good for; empty: everything that its role may touch"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires" jsonschema:"null: never"`
	Revoked  *time.Time `json:"revoked" jsonschema:"null: it is not"`
	LastUsed *time.Time `json:"last_used" jsonschema:"to the minute; null: never since it was last written down"`
}

// Request asks for a token.
type Request struct {
	Name    string      `json:"name" jsonschema:"for people; up to 100 bytes"`
	Role    access.Role `json:"role" jsonschema:"ingest, read, sql or admin"`
	Objects []string    `json:"objects,omitempty" jsonschema:"streams of an ingest token; views, streams and leaderboards of a read or sql token; empty: all"`
	Expires string      `json:"expires,omitempty" jsonschema:"a span such as 720h, or RFC 3339; empty: never"`
}

// hash is what is kept of a secret.
type hash [sha256.Size]byte

// hashOf is SHA-256, not one of the slow hashes of passwords: those make guessing dear
// where people choose the secret. Of 256 random bits there is nothing to guess, and a slow
// hash on every request would be a way to stall the server.
func hashOf(secret string) hash { return sha256.Sum256([]byte(secret)) }

// newSecret makes a token's secret.
func newSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // it never fails: crypto/rand ends the process where it must
	return secretPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// wellFormed reports whether a secret can be one of ours.
func wellFormed(secret string) bool {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == secretBytes
}

func newID() string { return strings.ToLower(rand.Text()[:idLetters]) }

// check returns the token that a request asks for, without an id, or what is wrong.
func (r Request) check(now time.Time) (Token, error) {
	t := Token{Name: r.Name, Role: r.Role, Created: now.UTC().Truncate(time.Second)}
	bad := func(field, format string, args ...any) (Token, error) {
		return Token{}, problem.New(http.StatusBadRequest, "bad-token-request", field+": "+fmt.Sprintf(format, args...),
			`send {"name": "…", "role": "ingest|read|sql|admin", "objects": ["…"], "expires": "720h"}`)
	}
	if r.Name == "" || len(r.Name) > maxNameBytes || !printable(r.Name) {
		return bad("name", "must be 1 to %d bytes of printable text", maxNameBytes)
	}
	if !slices.Contains(access.Roles, r.Role) {
		return bad("role", "%q is not a role; there are ingest, read, sql and admin", r.Role)
	}
	if len(r.Objects) > maxObjects {
		return bad("objects", "%d are more than %d; without any, the token is good for all", len(r.Objects), maxObjects)
	}
	if len(r.Objects) > 0 && r.Role == access.Admin {
		return bad("objects", "an admin token is good for everything; leave them out, or choose another role")
	}
	for _, o := range r.Objects {
		if o == "" || len(o) > maxObjectBytes || !printable(o) {
			return bad("objects", "%q is not the name of a stream, view or leaderboard", o)
		}
	}
	if len(r.Objects) > 0 {
		t.Objects = slices.Compact(slices.Sorted(slices.Values(r.Objects)))
	}
	if r.Expires != "" {
		expires, err := time.Parse(time.RFC3339, r.Expires)
		if err != nil {
			span, serr := time.ParseDuration(r.Expires)
			if serr != nil {
				return bad("expires", "%q is neither a span such as 720h nor RFC 3339", r.Expires)
			}
			expires = now.Add(span)
		}
		if !expires.After(now) || expires.Sub(now) > maxLifetime {
			return bad("expires", "%s is not in the coming %d years", r.Expires, maxLifetime/(365*24*time.Hour))
		}
		expires = expires.UTC().Truncate(time.Second)
		t.Expires = &expires
	}
	return t, nil
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// state is why a token is not valid; empty where it is.
func (t *Token) state(now time.Time) string {
	switch {
	case t.Revoked != nil:
		return "revoked"
	case t.Expires != nil && !now.Before(*t.Expires):
		return "expired"
	}
	return ""
}

// principal is whom the token stands for.
func (t *Token) principal() access.Principal {
	return access.Principal{ID: t.ID, Name: t.Name, Role: t.Role, Objects: t.Objects}
}
