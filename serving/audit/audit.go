// Package audit keeps the log of administrative acts and SQL statements: who did what,
// from where, with which outcome.
//
// The one invariant: an administrative act does not begin before the log durably says that
// it does, so that nothing is changed by somebody who is not written down. An act without
// an outcome in the log is one that a crash, or a full disk, cut off.
package audit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/problem"
)

// Begun is the outcome of an act that has not ended yet; OK of one that did as asked.
// Every other outcome is the type of the problem that the caller was told.
const (
	Begun = "begun"
	OK    = "ok"
)

// MaxTextBytes bounds the text of an entry: what a person writes; the rest is cut off.
const MaxTextBytes = 16 << 10

// busyAfter is what a caller is told to wait where the log cannot be written: somebody has
// to make room first.
const busyAfter = 10 * time.Second

// Entry is one line of the log.
type Entry struct {
	Time    time.Time   `json:"time"`
	ID      string      `json:"id" jsonschema:"of the token; local: without one on this machine"`
	Name    string      `json:"name"`
	Role    access.Role `json:"role"`
	Address string      `json:"address" jsonschema:"where the request came from"`
	Kind    string      `json:"kind" jsonschema:"sql, define, drop, batch, rebuild, replay, token.create, token.revoke or refused"`
	Text    string      `json:"text" jsonschema:"the statement, or what the act was on"`
	Outcome string      `json:"outcome" jsonschema:"begun, ok, or the type of the problem"`
	Rows    int64       `json:"rows"`
	Millis  float64     `json:"ms" jsonschema:"how long it took; 0 where it has only begun"`
}

// Recorder takes entries; *Log is one. Time and who are filled in from the clock and the
// context where they are empty. An entry whose outcome is Begun is durable on return.
type Recorder interface {
	Record(ctx context.Context, e Entry) error
}

// Act runs an administrative act between two entries. Where the first cannot be written
// the act does not begin and the caller gets 503. Where the second cannot, the act stands,
// since it was done; its first entry tells of it.
func Act(ctx context.Context, log Recorder, kind, text string, run func(ctx context.Context) (rows int64, err error)) error {
	start := time.Now()
	if err := log.Record(ctx, Entry{Kind: kind, Text: text, Outcome: Begun}); err != nil {
		return errors.Join(problem.Busy("the audit log cannot be written, and without it nothing is changed", busyAfter), err)
	}
	rows, err := run(ctx)
	_ = log.Record(context.WithoutCancel(ctx), Entry{Kind: kind, Text: text, Outcome: OutcomeOf(err), Rows: rows, Millis: millis(start)})
	return err
}

// Query begins the entry of a statement that changes nothing; ended, which is called once,
// writes it. Where it cannot be written the answer is given all the same: the Log counts
// and tells that.
func Query(ctx context.Context, log Recorder, text string) (ended func(rows int64, err error)) {
	start := time.Now()
	return func(rows int64, err error) {
		_ = log.Record(context.WithoutCancel(ctx), Entry{Kind: "sql", Text: text, Outcome: OutcomeOf(err), Rows: rows, Millis: millis(start)})
	}
}

func millis(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1000 }

// OutcomeOf is the outcome that an error means.
func OutcomeOf(err error) string {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, context.Canceled):
		return "/problems/cancelled"
	}
	return problem.From(err).Type
}

type addressKey struct{}

// WithAddress returns a context that carries where a request came from.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Host is the address of a client (of http.Request.RemoteAddr) without its port.
func Host(remote string) string {
	if h, _, err := net.SplitHostPort(remote); err == nil {
		return h
	}
	return remote
}

// complete fills in what the caller left empty, and takes secrets and excess out.
func (e Entry) complete(ctx context.Context, now time.Time) Entry {
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time = e.Time.UTC()
	if e.ID == "" {
		p := access.From(ctx)
		e.ID, e.Name, e.Role = p.ID, p.Name, p.Role
	}
	if e.Address == "" {
		e.Address, _ = ctx.Value(addressKey{}).(string)
	}
	if len(e.Text) > MaxTextBytes {
		cut := MaxTextBytes
		for !utf8.RuneStart(e.Text[cut]) {
			cut--
		}
		e.Text = e.Text[:cut] + fmt.Sprintf("… (%d bytes)", len(e.Text))
	}
	e.Text = withoutSecrets(e.Text)
	return e
}

// withoutSecrets hides what looks like a token.
func withoutSecrets(text string) string {
	if !strings.Contains(text, "mr_") {
		return text
	}
	return secrets.ReplaceAllString(text, "mr_(hidden)")
}

// errBadEntry refuses an entry that says nothing.
var errBadEntry = problem.New(http.StatusInternalServerError, "internal", "an audit entry has no kind or outcome", "see the log of the server")
