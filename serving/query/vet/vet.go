// Package vet decides whether a caller's SELECT may run on the engine.
//
// The one invariant: what runs is the text whose syntax tree, made by the engine's own
// parser, was looked at whole: every node is of a known kind, every function is of the
// list of those that only compute, and every table is one that the caller may read.
//
// Looking at the text alone is no defence: the engine's grammar has heredocs, comments,
// aliases and functions by other names, and some functions take SQL in a string. So the
// tokens of this package serve only to rewrite and to find places for messages; what they
// make of the text is judged by the tree.
package vet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
)

// Parser is the engine, for its parser alone: nothing of a caller is evaluated through it.
type Parser interface {
	QueryBatch(ctx context.Context, query string) (*event.Batch, error)
}

// Query is what a caller asks.
type Query struct {
	Text   string            // one SELECT without FORMAT
	Params map[string]string // values of {name:Type} places
	// MayRead reports whether there is a stream or view of that name that the caller may
	// read. Without access it must say no, as for one that does not exist.
	MayRead func(name string) bool
	// Databases are names by which a table may be qualified: millrace.clicks is clicks.
	Databases []string
	// System are tables of the database system that have a table of the caller's own in
	// their place, called SystemPrefix and their name.
	System []string
	// Constants are what stands in the place of functions without arguments, as SQL, by name
	// in lower case: currentuser.
	Constants map[string]string
	// Known is the hint where a table is unknown.
	Known string
}

// SystemPrefix begins the names of the tables that stand for Query.System.
const SystemPrefix = "mr_system_"

// Approved is a query that may run.
type Approved struct {
	Text   string   // to run, as it is
	Tables []string // streams and views that it names
	System []string // of Query.System, the ones that it names
}

// pureSystem are the engine's own tables of the database system that only compute, or
// list what is the same for everybody.
var pureSystem = []string{
	"one", "numbers", "numbers_mt", "zeros", "zeros_mt",
	"aggregate_function_combinators", "data_type_families", "formats", "keywords", "time_zones",
}

// Select looks at one SELECT. A refusal is a *sql.Error or *problem.Problem with its
// place in the caller's text.
func Select(ctx context.Context, p Parser, q Query) (*Approved, error) {
	tokens := scan(q.Text)
	if err := refuseTokens(q.Text, tokens); err != nil {
		return nil, err
	}
	// As one statement, alone: what is only right inside of the parentheses around it
	// would end them.
	if _, err := p.QueryBatch(ctx, "SELECT formatQuerySingleLine("+clickhouse.QuoteString(q.Text)+")"); err != nil {
		return nil, syntaxError(q.Text, err)
	}
	rewritten := rewrite(&q, tokens)
	a := &Approved{Text: "SELECT * FROM (\n" + rewritten + "\n)"}
	explain := ctx
	if len(q.Params) > 0 {
		explain = clickhouse.WithParameters(ctx, q.Params)
	}
	b, err := p.QueryBatch(explain, "EXPLAIN AST "+a.Text)
	if err != nil {
		return nil, formError(q.Text, tokens, err)
	}
	lines := make([]string, b.Rows)
	for i := range lines {
		lines[i] = string(b.Columns[0].Str.At(i))
	}
	tree, err := parseTree(lines)
	if err != nil {
		return nil, &sql.Error{Pos: Place(q.Text, 0), Msg: "the query's syntax tree cannot be read: " + err.Error(), Hint: "use plain names"}
	}
	i := &inspector{query: &q, tokens: tokens, approved: a, ctes: map[string]bool{}, lambdas: map[string]bool{}}
	i.collect(tree)
	if err := i.look(tree, nil); err != nil {
		return nil, err
	}
	return a, nil
}

// refuseTokens refuses what the tree cannot show.
func refuseTokens(s string, tokens []token) error {
	if at := strings.IndexByte(s, 0); at >= 0 {
		return &sql.Error{Pos: Place(s, at), Msg: "the text has a NUL byte", Hint: "write unhex('00') for one in a string"}
	}
	for i, t := range tokens {
		if t.kind == quoted && strings.ContainsFunc(s[t.start:t.end], func(r rune) bool { return r < ' ' || r == 0x7F || r == '\\' }) {
			return &sql.Error{Pos: Place(s, t.start), Msg: "a name in quotes has a control character or a backslash", Hint: "use a plain name"}
		}
		if t.is("Identifier") && i > 0 && tokens[i-1].is(":") {
			return &sql.Error{Pos: Place(s, t.start), Msg: "a parameter cannot stand for a name", Hint: "write the name itself"}
		}
	}
	return nil
}

// rewrite puts the caller's own in the place of what the query names: qualified tables,
// tables of the database system, and constants.
func rewrite(q *Query, tokens []token) string {
	var b strings.Builder
	at := 0
	replace := func(from, to int, with string) {
		b.WriteString(q.Text[at:from])
		b.WriteString(with)
		at = to
	}
	behind := func(i int) token { // the token i, or an end
		if i < len(tokens) {
			return tokens[i]
		}
		return token{kind: other}
	}
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		qualified := i > 0 && tokens[i-1].is(".")
		dot, name := behind(i+1).is("."), behind(i+2)
		switch {
		case qualified || !t.isName():
		case dot && slices.Contains(q.Databases, t.text) && name.isName() && q.MayRead(name.text):
			replace(t.start, name.start, "")
			i += 2
		case dot && strings.EqualFold(t.text, "system") && slices.Contains(q.System, name.text):
			replace(t.start, name.end, SystemPrefix+name.text)
			i += 2
		case behind(i+1).is("(") && behind(i+2).is(")"):
			text, ok := q.Constants[strings.ToLower(t.text)]
			if !ok {
				continue
			}
			with := text
			if namesItself(tokens, i) {
				with = "(" + with + " AS " + clickhouse.QuoteIdentifier(t.text+"()") + ")"
			}
			replace(t.start, behind(i+2).end, with)
			i += 2
		}
	}
	b.WriteString(q.Text[at:])
	return b.String()
}

// namesItself reports whether the call at i is an item of a SELECT without an alias, so
// that its text is its name.
func namesItself(tokens []token, i int) bool {
	before := i > 0 && (tokens[i-1].is("SELECT") || tokens[i-1].is(","))
	end := i+3 >= len(tokens)
	return before && (end || tokens[i+3].is(",") || tokens[i+3].is("FROM") || tokens[i+3].is("LIMIT") || tokens[i+3].is("UNION"))
}

var (
	failedAt = regexp.MustCompile(`(?s)Syntax error[^:]*: failed at position (\d+) \((.*?)\)(?: \(line|:)`)
	expected = regexp.MustCompile(`Expected (one of: .*?|[^.]*?)(?:: In scope |\. \(|$)`)
)

// maxExpected is how many of the things that would have been right a message lists.
const maxExpected = 8

// syntaxError words a refusal by the engine's parser, with its place.
func syntaxError(s string, err error) error {
	var refused *clickhouse.Error
	if !errors.As(err, &refused) {
		return err
	}
	m := failedAt.FindStringSubmatch(refused.Message)
	if m == nil {
		message, _, _ := strings.Cut(refused.Message, ": In scope ")
		message, _, _ = strings.Cut(message, ": while executing ")
		return &sql.Error{Pos: Place(s, 0), Msg: message}
	}
	position, _ := strconv.Atoi(m[1]) // the pattern has digits only; one too long is past the end
	e := &sql.Error{Pos: Place(s, position-1), Msg: "syntax error at " + m[2]}
	if m[2] == "end of query" || position > len(s) {
		e.Msg = "syntax error: the query ends too early"
	}
	if strings.Contains(refused.Message, "Unmatched parentheses") {
		e.Msg += ": parentheses do not match"
	} else if x := expected.FindStringSubmatch(refused.Message); x != nil {
		list := strings.Split(strings.TrimPrefix(x[1], "one of: "), ", ")
		if len(list) > maxExpected {
			list = append(list[:maxExpected], "…")
		}
		e.Hint = "expected " + strings.Join(list, ", ")
	}
	return e
}

// outerClauses are what a query may end with that belongs to a whole statement, not to a
// SELECT.
var outerClauses = []struct{ word, hint string }{
	{"OUTFILE", "answers go to the caller only"},
	{"FORMAT", "give the format with the request"},
	{"SETTINGS", "settings go with the request"},
	{"PARALLEL", "send one SELECT"},
	{"EXPLAIN", "EXPLAIN is not taken"},
}

// formError words a refusal of the text in parentheses: alone it was right, so it ends
// with a clause of a whole statement, or lacks a parameter.
func formError(s string, tokens []token, err error) error {
	var refused *clickhouse.Error
	if !errors.As(err, &refused) {
		return err
	}
	if m := unsetParameter.FindStringSubmatch(refused.Message); m != nil {
		return problem.New(http.StatusBadRequest, "sql", "the parameter "+m[1]+" has no value", "send param_"+m[1]+" with the request")
	}
	for _, clause := range outerClauses {
		for _, t := range slices.Backward(tokens) {
			if t.is(clause.word) {
				return &sql.Error{Pos: Place(s, t.start), Msg: strings.ToUpper(clause.word) + " cannot be part of a query here", Hint: clause.hint}
			}
		}
	}
	return &sql.Error{Pos: Place(s, 0), Msg: "this is not one SELECT: " + refused.Message}
}

var unsetParameter = regexp.MustCompile("Substitution `([^`]*)` is not set")

// errAt makes a refusal at the first token of that text.
func (i *inspector) errAt(name, hint, format string, args ...any) error {
	e := &sql.Error{Pos: Place(i.query.Text, 0), Msg: fmt.Sprintf(format, args...), Hint: hint}
	last := name[strings.LastIndexByte(name, '.')+1:]
	for _, t := range i.tokens {
		if (t.isName() || t.kind == other) && strings.EqualFold(t.text, last) {
			e.Pos = Place(i.query.Text, t.start)
			break
		}
	}
	return e
}
