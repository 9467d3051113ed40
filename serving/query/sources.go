package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/clickhouse"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
)

// Source is one stream or view that an answer is made of.
type Source struct {
	Name       string
	Kind       string            // "view" or "stream"
	Provenance *merge.Provenance // of a view
	Positions  []uint64          // of a stream: the last entry in the answer, by partition
}

// MarshalJSON writes a view's provenance, or a stream's positions.
func (s Source) MarshalJSON() ([]byte, error) {
	if s.Provenance != nil {
		return json.Marshal(s.Provenance)
	}
	return json.Marshal(struct {
		Stream    string   `json:"stream"`
		Positions []uint64 `json:"positions"`
	}{s.Name, s.Positions})
}

// sourceError is an error of what a query reads, not of the query or its engine.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// table puts a stream or view into the session, under its own name.
func (j *job) table(session *clickhouse.Session, name, text string, wait time.Duration) error {
	if stream, err := j.x.Catalog.Stream(name); err == nil {
		t, err := j.x.History.Table(j.ctx, stream)
		if err != nil {
			return &sourceError{fmt.Errorf("read history of %s: %w", name, err)}
		}
		j.hold(t.Release)
		j.sources = append(j.sources, Source{Name: name, Kind: "stream", Positions: t.Positions})
		if err := session.Exec(j.ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s (%s) ENGINE = %s", clickhouse.QuoteIdentifier(name), t.Columns, t.Engine)); err != nil {
			return fmt.Errorf("give %s to the engine: %w", name, err)
		}
		return nil
	}
	view, err := j.x.Catalog.View(name)
	if err != nil {
		return problem.Busy(fmt.Sprintf("%s was dropped at this moment", name), time.Second)
	}
	q := merge.Query{View: view, From: merge.MinTime, To: merge.MaxTime, Bucketing: merge.ByWindow, Wait: wait}
	if s := onlyOver(text, name); s != nil {
		pushDown(s, &q)
	}
	result, err := j.x.Views.Run(j.ctx, q)
	if err != nil {
		return &sourceError{err}
	}
	if int64(result.Batch.Rows) > j.limits.ViewRows {
		return j.limits.viewTooLarge(name, result.Batch.Rows)
	}
	if int64(result.Batch.SizeBytes()) > j.limits.MemoryBytes {
		return j.limits.tooMuchMemory()
	}
	j.sources = append(j.sources, Source{Name: name, Kind: "view", Provenance: &result.Provenance})
	if err := load(j, session, name, result.Batch); err != nil {
		return fmt.Errorf("give %s to the engine: %w", name, err)
	}
	return nil
}

// onlyOver returns the innermost SELECT of a text that reads one view and nothing else;
// nil where it is not of the plain form that shows that.
func onlyOver(text, view string) *sql.Select {
	statements, err := sql.Parse(text)
	if err != nil || len(statements) != 1 {
		return nil
	}
	s, ok := statements[0].(*sql.Select)
	if !ok {
		return nil
	}
	for s.Sub != nil {
		s = s.Sub
	}
	if s.From != view {
		return nil
	}
	return s
}

// load puts rows into a new table of the session.
func load(j *job, session *clickhouse.Session, name string, b *event.Batch) error {
	columns := make([]string, len(b.Schema.Columns))
	for i, c := range b.Schema.Columns {
		columns[i] = clickhouse.QuoteIdentifier(c.Name) + " " + c.Type.String()
	}
	name = clickhouse.QuoteIdentifier(name)
	return errors.Join(
		session.Exec(j.ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s (%s) ENGINE = Memory", name, strings.Join(columns, ", "))),
		session.Insert(j.ctx, name, b),
	)
}
