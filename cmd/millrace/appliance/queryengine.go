package appliance

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/internal/access"
	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/clickhouse/engine"
	"github.com/millrace/millrace/internal/config"
	"github.com/millrace/millrace/serving/query"
)

const (
	// queryStuckAfter is how long a cancelled query may resist before the query engine is
	// started again: it takes less than a second, and other queries there are refused.
	queryStuckAfter = 2 * time.Second
	// spareSessions are sessions of the query engine beyond those of queries, for its parser.
	spareSessions = 8
	// queryDatabase is empty for ever: on an external server it is where callers' queries
	// run, so that no table of that server can be met by its name alone.
	queryDatabase = "millrace_query"
)

// queryEngine runs the queries of callers, apart from the engine of the batch layer.
type queryEngine struct {
	child    *engine.Engine // nil on an external ClickHouse
	sessions *clickhouse.Client
	parser   *clickhouse.Client
}

// isHTTP reports whether a DSN speaks ClickHouse's HTTP protocol, which sessions need.
func isHTTP(dsn string) bool {
	return strings.HasPrefix(dsn, "http://") || strings.HasPrefix(dsn, "https://")
}

// startEngines starts the engine of the batch layer and that of queries: side by side,
// unless both are one external server.
func (a *Appliance) startEngines(ctx context.Context) error {
	if isHTTP(a.o.Config.ClickHouseDSN) {
		if err := a.startEngine(ctx); err != nil {
			return err
		}
		return a.startQueryEngine(ctx)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.startEngine(gctx) })
	g.Go(func() error { return a.startQueryEngine(gctx) })
	return g.Wait()
}

// startQueryEngine starts what runs SELECT for callers: an engine of its own, confined to
// the lake, or the external server where that speaks HTTP.
func (a *Appliance) startQueryEngine(ctx context.Context) error {
	c := a.o.Config
	if isHTTP(c.ClickHouseDSN) {
		dsn, err := withDatabase(c.ClickHouseDSN, queryDatabase)
		if err != nil {
			return err
		}
		if err := a.clickhouse.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+queryDatabase); err != nil {
			a.o.Log.Warn("SELECT is refused: the external ClickHouse does not let Millrace make the empty database of queries", "database", queryDatabase, "error", err)
			return nil
		}
		return a.openQueryEngine(nil, dsn)
	}
	library, err := engine.Library(c.EngineLibrary)
	if err != nil && c.ClickHouseDSN != "" {
		a.o.Log.Warn("SELECT is refused: clickhouse.dsn is of the native protocol, and the embedded engine is not there", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	if engine.Confinable() == 0 {
		a.o.Log.Warn("this kernel has no Landlock: queries are checked by the engine's parser and read only, but not confined by the operating system")
	}
	child, err := engine.Start(ctx, engine.Options{
		Library: library, DataDir: filepath.Join(c.DataDir, "engine-query"), Wipe: true, Log: a.o.Log,
		Confine:       &engine.Confinement{ReadOnly: []string{c.LakeDir()}},
		MaxConcurrent: int(c.SQL.Concurrency+c.Admin.Or(c.SQL).Concurrency+c.Read.Or(c.SQL).Concurrency) + spareSessions,
		StuckAfter:    queryStuckAfter,
	})
	if err != nil {
		return fmt.Errorf("start query engine: %w", err)
	}
	return a.openQueryEngine(child, child.DSN())
}

// openQueryEngine opens the clients of the query engine; that of the parser is read only.
func (a *Appliance) openQueryEngine(child *engine.Engine, dsn string) error {
	q := &queryEngine{child: child}
	a.queries = q
	dsn, err := withLakeSettings(dsn)
	if err != nil {
		return err
	}
	if q.sessions, err = clickhouse.Open(dsn); err != nil {
		return err
	}
	q.parser, err = clickhouse.Open(dsn + "&readonly=1")
	return err
}

// withDatabase names another database in a DSN.
func withDatabase(dsn, database string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("parse clickhouse.dsn: %w", err)
	}
	u.Path = "/" + database
	values := u.Query()
	values.Del("database")
	u.RawQuery = values.Encode()
	return u.String(), nil
}

// stop ends the query engine and what runs there.
func (q *queryEngine) stop() error {
	var errs []error
	for _, c := range []*clickhouse.Client{q.parser, q.sessions} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if q.child != nil {
		q.child.Stop()
	}
	return errors.Join(errs...)
}

// part says what the query engine is.
func (q *queryEngine) part() string {
	switch {
	case q == nil:
		return "none: SELECT is refused"
	case q.child == nil:
		return "external"
	case engine.Confinable() == 0:
		return "embedded engine, not confined: this kernel has no Landlock"
	}
	return fmt.Sprintf("embedded engine, confined (Landlock %d)", engine.Confinable())
}

// forQueries is the query engine as the executor takes it.
func (q *queryEngine) forQueries() *query.Engine {
	if q == nil {
		return nil
	}
	return &query.Engine{Parser: q.parser, Sessions: q.sessions}
}

// roleLimits are the limits of queries by role.
func roleLimits(c config.Config) query.RoleLimits {
	limits := func(l config.QueryLimits, prefix string) query.Limits {
		return query.Limits{
			Rows: l.MaxRows, Bytes: l.MaxBytes, MemoryBytes: l.MaxMemoryBytes, ViewRows: l.MaxViewRows,
			Time: l.Timeout, Concurrency: int(l.Concurrency), Prefix: prefix,
		}
	}
	return query.RoleLimits{
		access.SQL:   limits(c.SQL, "query."),
		access.Admin: limits(c.Admin.Or(c.SQL), prefixOf(c.Admin, "query.admin.")),
		access.Read:  limits(c.Read.Or(c.SQL), prefixOf(c.Read, "query.read.")),
	}
}

// prefixOf is the prefix of the keys that a role's limits come from: its own where it has
// any, else those that hold for all.
func prefixOf(l config.QueryLimits, own string) string {
	if l == (config.QueryLimits{}) {
		return "query."
	}
	return own
}
