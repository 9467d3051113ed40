// Package query runs SQL statements: definitions go to the catalog, SELECT to the engine
// over streams (all acknowledged events) and views (batch merged with speed).
//
// The one invariant: the engine is only ever given text that was printed from our own
// syntax tree, over tables that this package put there.
package query

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
)

// Catalog finds definitions.
type Catalog interface {
	Stream(name string) (*catalog.Stream, error)
	View(name string) (*catalog.View, error)
	Streams() []*catalog.Stream
	Views() []*catalog.View
	Leaderboards() []*catalog.View
}

// Definer carries out definitions. Each call returns when what it did is durable and,
// for a view, when its history is published.
type Definer interface {
	CreateStream(ctx context.Context, s *sql.CreateStream) error
	CreateView(ctx context.Context, v *sql.CreateView) error
	CreateLeaderboard(ctx context.Context, b *sql.CreateLeaderboard) error
	DropStream(ctx context.Context, name string) error
	DropView(ctx context.Context, name string) error
	DropLeaderboard(ctx context.Context, name string) error
}

// History gives the engine the events of a stream.
type History interface {
	// Table returns a table expression over every event that was acknowledged before the
	// call, with the last entry in it by partition. release ends its use.
	Table(ctx context.Context, s *catalog.Stream) (t Table, err error)
}

// Table is a table that the engine can read until Release.
type Table struct {
	Expr      string   // ClickHouse table expression
	Positions []uint64 // last entry in it, by partition
	Release   func()
}

// Engine runs SQL.
type Engine interface {
	Exec(ctx context.Context, query string) error
	QueryBatch(ctx context.Context, query string) (*event.Batch, error)
	Insert(ctx context.Context, table string, b *event.Batch) error
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
	Engine  Engine
	Views   Views
	Log     *slog.Logger
	Timeout time.Duration // longest run of a statement
	MaxRows int64         // most rows of an answer
}

// Executor runs statements. It is safe for concurrent use.
type Executor struct{ Options }

// New returns an Executor.
func New(o Options) *Executor { return &Executor{o} }

// Answer is what one statement gave.
type Answer struct {
	Batch *event.Batch
	// Provenance of a SELECT over a view; nil otherwise.
	Provenance *merge.Provenance
	// Positions of a SELECT over a stream: the last entry in it, by partition.
	Positions []uint64
}

// Run parses and runs statements in order and stops at the first that fails. The answers
// are those of the statements before it.
func (x *Executor) Run(ctx context.Context, text string, wait time.Duration) ([]Answer, error) {
	statements, err := sql.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(statements) == 0 {
		return nil, problem.New(http.StatusBadRequest, "sql", "there is no statement", "send one, such as SHOW STREAMS")
	}
	var answers []Answer
	for _, s := range statements {
		a, err := x.statement(ctx, s, wait)
		if err != nil {
			return answers, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

func (x *Executor) statement(ctx context.Context, s sql.Statement, wait time.Duration) (Answer, error) {
	switch s := s.(type) {
	case *sql.CreateStream:
		return x.define("stream", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateStream(ctx, s))
	case *sql.CreateView:
		return x.define("view", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateView(ctx, s))
	case *sql.CreateLeaderboard:
		return x.define("leaderboard", s.Name, "created", s.IfNotExists, catalog.ErrExists, x.Definer.CreateLeaderboard(ctx, s))
	case *sql.Drop:
		drop, kind := x.Definer.DropView, "view"
		switch s.Kind {
		case "STREAM":
			drop, kind = x.Definer.DropStream, "stream"
		case "LEADERBOARD":
			drop, kind = x.Definer.DropLeaderboard, "leaderboard"
		}
		return x.define(kind, s.Name, "dropped", s.IfExists, catalog.ErrNotFound, drop(ctx, s.Name))
	case *sql.Show:
		return x.show(s)
	case *sql.Describe:
		return x.describe(s)
	case *sql.ShowCreate:
		return x.showCreate(s)
	case *sql.Select:
		ctx, cancel := context.WithTimeout(ctx, x.Timeout)
		defer cancel()
		a, err := x.sel(ctx, s, wait)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return a, problem.New(http.StatusGatewayTimeout, "query-timeout",
				fmt.Sprintf("the query ran longer than the limit of %s (query.timeout)", x.Timeout), "narrow it, or query a view")
		}
		return a, err
	}
	return Answer{}, fmt.Errorf("run statement: %T is not known", s)
}

// define turns the outcome of a definition into an answer of one row; tolerated is the
// error that IF [NOT] EXISTS forgives.
func (x *Executor) define(kind, name, done string, tolerate bool, tolerated, err error) (Answer, error) {
	if err != nil && tolerate && errors.Is(err, tolerated) {
		err, done = nil, "unchanged"
	}
	if err != nil {
		return Answer{}, definitionProblem(err)
	}
	return Answer{Batch: texts([]string{"kind", "name", "status"}, []string{kind, name, done})}, nil
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

// sel runs a SELECT.
func (x *Executor) sel(ctx context.Context, s *sql.Select, wait time.Duration) (Answer, error) {
	if err := checkFunctions(s); err != nil {
		return Answer{}, err
	}
	inner := s
	for inner.Sub != nil {
		inner = inner.Sub
	}
	var answer Answer
	text := s.String()
	if inner.From != "" {
		table, err := x.table(ctx, inner, wait, &answer)
		if err != nil {
			return Answer{}, err
		}
		defer table.Release()
		text = fmt.Sprintf("WITH %s AS (SELECT * FROM %s) %s", sql.QuoteName(inner.From), table.Expr, text)
	}
	// One more row than allowed tells that there are too many. The embedded engine does
	// not keep to max_result_rows.
	text += fmt.Sprintf(" SETTINGS limit = %d", x.MaxRows+1)
	b, err := x.Engine.QueryBatch(ctx, text)
	if err != nil {
		return Answer{}, engineProblem(err)
	}
	if int64(b.Rows) > x.MaxRows {
		return Answer{}, tooMany(x.MaxRows)
	}
	answer.Batch = b
	return answer, nil
}

// table makes what the innermost FROM names readable for the engine.
func (x *Executor) table(ctx context.Context, s *sql.Select, wait time.Duration, a *Answer) (Table, error) {
	if stream, err := x.Catalog.Stream(s.From); err == nil {
		t, err := x.History.Table(ctx, stream)
		if err != nil {
			return Table{}, fmt.Errorf("read history of %s: %w", s.From, err)
		}
		a.Positions = t.Positions
		return t, nil
	}
	view, err := x.Catalog.View(s.From)
	if err != nil {
		return Table{}, &sql.Error{Pos: s.FromPos, Msg: fmt.Sprintf("there is no stream or view %q", s.From), Hint: x.known()}
	}
	q := merge.Query{View: view, From: merge.MinTime, To: merge.MaxTime, Bucketing: merge.ByWindow, Wait: wait}
	pushDown(s, &q)
	result, err := x.Views.Run(ctx, q)
	if err != nil {
		return Table{}, err
	}
	a.Provenance = &result.Provenance
	return x.load(ctx, result.Batch)
}

// TemporaryPrefix begins the names of the tables that hold merged views for a query.
const TemporaryPrefix = "mr_query_"

// load puts rows into a table in the engine's memory.
func (x *Executor) load(ctx context.Context, b *event.Batch) (Table, error) {
	name := TemporaryPrefix + rand.Text()
	columns := make([]string, len(b.Schema.Columns))
	for i, c := range b.Schema.Columns {
		columns[i] = sql.QuoteName(c.Name) + " " + c.Type.String()
	}
	if err := x.Engine.Exec(ctx, fmt.Sprintf("CREATE TABLE %s (%s) ENGINE = Memory", name, strings.Join(columns, ", "))); err != nil {
		return Table{}, fmt.Errorf("create table for the query: %w", err)
	}
	release := func() {
		// The query may have been cancelled: the table goes all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := x.Engine.Exec(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
			x.Log.Warn("drop table of a query", "table", name, "error", err)
		}
	}
	if b.Rows > 0 {
		if err := x.Engine.Insert(ctx, name, b); err != nil {
			release()
			return Table{}, fmt.Errorf("hand view to the engine: %w", err)
		}
	}
	return Table{Expr: name, Release: release}, nil
}
