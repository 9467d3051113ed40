// Package query runs SQL statements: definitions go to the catalog, SELECT to the engine
// over streams (all acknowledged events) and views (batch merged with speed).
//
// The one invariant: the engine is only ever given a caller's text that package vet has
// approved, in a session that is read only and has no tables but those that this package
// put there for that one query and its caller.
package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/serving/query/vet"
)

// Database is the name of the one database that callers see.
const Database = "millrace"

// databases are the names by which callers may qualify streams and views: default is what
// clients of ClickHouse use unless told otherwise.
var databases = []string{Database, "default"}

// Catalog finds definitions.
type Catalog interface {
	Stream(name string) (*catalog.Stream, error)
	View(name string) (*catalog.View, error)
	Streams() []*catalog.Stream
	Views() []*catalog.View
	Leaderboards() []*catalog.View
	Reports() []*catalog.Report
}

// Definer carries out definitions. Each call returns when what it did is durable and,
// for a view, when its history is published.
type Definer interface {
	CreateStream(ctx context.Context, s *sql.CreateStream) error
	CreateView(ctx context.Context, v *sql.CreateView) error
	CreateLeaderboard(ctx context.Context, b *sql.CreateLeaderboard) error
	CreateReport(ctx context.Context, r *sql.CreateReport) error
	DropStream(ctx context.Context, name string) error
	DropView(ctx context.Context, name string) error
	DropLeaderboard(ctx context.Context, name string) error
	DropReport(ctx context.Context, name string) error
}

// History gives the engine the events of a stream.
type History interface {
	// Table returns every event that was acknowledged before the call, with the last entry
	// in it by partition. Release ends its use.
	Table(ctx context.Context, s *catalog.Stream) (t Table, err error)
}

// Table is a table that the engine can read until Release.
type Table struct {
	Columns   string   // as ClickHouse declares them
	Engine    string   // ClickHouse table engine
	Positions []uint64 // last entry in it, by partition
	Release   func()
}

// Engine runs queries of callers. Both clients are of one server: Parser is read only.
type Engine struct {
	Parser   vet.Parser
	Sessions *clickhouse.Client
}

// Views answers queries on views.
type Views interface {
	Run(ctx context.Context, q merge.Query) (*merge.Result, error)
}

// Options are the parts and limits of an Executor.
type Options struct {
	Catalog Catalog
	Definer Definer
	History History
	Engine  *Engine // nil: SELECT is refused
	Views   Views
	Log     *slog.Logger
	Limits  RoleLimits
}

// Executor runs statements. It is safe for concurrent use.
type Executor struct {
	Options
	slots map[access.Role]chan struct{}
}

// New returns an Executor.
func New(o Options) *Executor {
	x := &Executor{Options: o, slots: map[access.Role]chan struct{}{}}
	for role, limits := range o.Limits {
		x.slots[role] = make(chan struct{}, limits.Concurrency)
	}
	return x
}

// Request is one statement of a caller, or several for Run; who it is comes from
// access.From(ctx).
type Request struct {
	Text string
	// Format is ClickHouse's name of the answer's format; "" is JSON. FORMAT in the text wins.
	Format string
	// Settings of ClickHouse; those that change how an answer is written, or lower a limit,
	// are taken, others refused.
	Settings map[string]string
	Params   map[string]string // values of {name:Type} places, without the prefix param_
	Revision uint64            // client_protocol_version, for Native; 0: none
	QueryID  string
	Wait     time.Duration // how long views wait for all that was acknowledged
}

// Response is the answer to one statement. The caller must close Body: that ends the query
// and frees everything it held.
type Response struct {
	Body        io.ReadCloser // an error after the first bytes comes from Read
	Format      string        // ClickHouse's name
	ContentType string
	Header      http.Header  // X-ClickHouse-* of the engine
	Sources     []Source     // what the answer is made of
	Statement   string       // select, show, describe, exists, create or drop
	Rows        func() int64 // of the answer, once Body was read to its end; 0 before
}

// Stream runs one statement.
func (x *Executor) Stream(ctx context.Context, r Request) (*Response, error) {
	statements, err := split(r.Text)
	if err != nil {
		return nil, err
	}
	if len(statements) == 1 {
		return x.run(ctx, r, statements[0])
	}
	at := vet.Place(r.Text, statements[1].Start)
	return nil, &sql.Error{Pos: at, Msg: "a second statement begins here", Hint: "send one at a time"}
}

// Run runs statements in order and stops at the first that fails. The response is that of
// the last one; the answers of those before it are run to their end and left out.
func (x *Executor) Run(ctx context.Context, r Request) (*Response, error) {
	statements, err := split(r.Text)
	if err != nil {
		return nil, err
	}
	for _, s := range statements[:len(statements)-1] {
		response, err := x.run(ctx, r, s)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return nil, err
		}
	}
	return x.run(ctx, r, statements[len(statements)-1])
}

// split cuts a text into statements, of which there is at least one.
func split(text string) ([]vet.Statement, error) {
	if len(text) > sql.MaxTextBytes {
		return nil, problem.New(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("the text is longer than %d bytes", sql.MaxTextBytes), "send less at a time")
	}
	statements := vet.Split(text)
	if len(statements) == 0 {
		return nil, problem.New(http.StatusBadRequest, "sql", "there is no statement", "send one, such as SHOW TABLES")
	}
	return statements, nil
}

// run runs one statement of the request's text.
func (x *Executor) run(ctx context.Context, r Request, s vet.Statement) (*Response, error) {
	text, format := vet.CutFormat(r.Text[s.Start:s.End])
	if format == "" {
		format = r.Format
	}
	format, err := formatName(format)
	if err != nil {
		return nil, err
	}
	r.Format = format
	if err := checkSettings(r.Settings); err != nil {
		return nil, err
	}
	switch s.First {
	case "SELECT", "WITH", "FROM", "(":
		// What is before the statement keeps its place in the text, as blanks.
		return x.selectRows(ctx, r, blank(r.Text[:s.Start])+text)
	case "EXPLAIN":
		return nil, &sql.Error{Pos: vet.Place(r.Text, s.Start), Msg: "EXPLAIN is not taken", Hint: "send the SELECT"}
	}
	statements, err := sql.Parse(blank(r.Text[:s.Start]) + text)
	if err != nil {
		return nil, err
	}
	return x.statement(ctx, r, statements[0])
}

// blank is a text of the same length and lines that has nothing in it.
func blank(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c != '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}

// statement runs what is no SELECT.
func (x *Executor) statement(ctx context.Context, r Request, s sql.Statement) (*Response, error) {
	p := access.From(ctx)
	switch s.(type) {
	case *sql.CreateStream, *sql.CreateView, *sql.CreateLeaderboard, *sql.CreateReport, *sql.Drop:
		if err := require(p, access.Manage, "to define and drop streams, views and reports"); err != nil {
			return nil, err
		}
	default:
		if err := require(p, access.Look, "to look at streams and views"); err != nil {
			return nil, err
		}
	}
	switch s := s.(type) {
	case *sql.CreateStream:
		return x.define(ctx, r, "create", "stream", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateStream(ctx, s))
	case *sql.CreateView:
		return x.define(ctx, r, "create", "view", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateView(ctx, s))
	case *sql.CreateLeaderboard:
		return x.define(ctx, r, "create", "leaderboard", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateLeaderboard(ctx, s))
	case *sql.CreateReport:
		return x.define(ctx, r, "create", "report", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateReport(ctx, s))
	case *sql.Drop:
		drop, kind := x.Definer.DropView, "view"
		switch s.Kind {
		case "STREAM":
			drop, kind = x.Definer.DropStream, "stream"
		case "LEADERBOARD":
			drop, kind = x.Definer.DropLeaderboard, "leaderboard"
		case "REPORT":
			drop, kind = x.Definer.DropReport, "report"
		}
		return x.define(ctx, r, "drop", kind, s.Name, "dropped", s.IfExists, catalog.ErrNotFound, drop(ctx, s.Name))
	case *sql.Show:
		b, err := x.show(p, s)
		return x.answer(ctx, r, "show", b, err)
	case *sql.Describe:
		b, err := x.describe(p, s)
		return x.answer(ctx, r, "describe", b, err)
	case *sql.ShowCreate:
		b, err := x.showCreate(p, s)
		return x.answer(ctx, r, "show", b, err)
	case *sql.Exists:
		return x.answer(ctx, r, "exists", x.exists(p, s), nil)
	}
	return nil, fmt.Errorf("run statement: %T is not known", s)
}

// require refuses a caller without a right.
func require(p access.Principal, right access.Right, what string) error {
	if p.May(right, "") {
		return nil
	}
	return problem.New(http.StatusForbidden, "forbidden", fmt.Sprintf("the right %q is missing, which is needed %s", right, what), "use a token of a role that has it")
}

// define turns the outcome of a definition into an answer of one row; tolerated is the
// error that IF [NOT] EXISTS forgives.
func (x *Executor) define(ctx context.Context, r Request, statement, kind, name, done string, tolerate bool, tolerated, err error) (*Response, error) {
	if err != nil && tolerate && errors.Is(err, tolerated) {
		err, done = nil, "unchanged"
	}
	if err != nil {
		return nil, definitionProblem(err)
	}
	return x.answer(ctx, r, statement, texts([]string{"kind", "name", "status"}, []string{kind, name, done}), nil)
}

// definitionProblem gives the catalog's errors their status.
func definitionProblem(err error) error {
	for class, p := range map[error]struct {
		status int
		kind   string
	}{
		catalog.ErrExists:   {http.StatusConflict, "already-exists"},
		catalog.ErrNotFound: {http.StatusNotFound, "not-found"},
		catalog.ErrInUse:    {http.StatusConflict, "in-use"},
	} {
		if errors.Is(err, class) {
			return problem.New(p.status, p.kind, err.Error(), "")
		}
	}
	return err
}

// known lists what the caller may read, for the hint of an error.
func (x *Executor) known(p access.Principal) string {
	var names []string
	for _, t := range x.Catalog.Streams() {
		if p.May(access.Look, t.Plan.Name) {
			names = append(names, t.Plan.Name)
		}
	}
	for _, v := range x.Catalog.Views() {
		if p.May(access.Look, v.Plan.Name) {
			names = append(names, v.Plan.Name)
		}
	}
	if len(names) == 0 {
		return "none is declared yet: CREATE STREAM makes the first"
	}
	return "there are " + strings.Join(names, ", ")
}

// mayRead reports whether there is a stream or view of that name that the caller may
// read: one that it may not is as one that is not there.
func (x *Executor) mayRead(p access.Principal, name string) bool {
	if !p.May(access.Look, name) {
		return false
	}
	if _, err := x.Catalog.Stream(name); err == nil {
		return true
	}
	_, err := x.Catalog.View(name)
	return err == nil
}
