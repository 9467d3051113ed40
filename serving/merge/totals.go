package merge

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// Totals answers a query with the view's FinalSchema in place of its outputs: the window,
// all keys, and the values of all aggregates, hidden ones too. Order and limits of the
// query are left aside.
func (m *Merger) Totals(ctx context.Context, q Query) (*Result, error) {
	merged, err := m.merge(ctx, &q)
	if err != nil {
		return nil, err
	}
	return &Result{Batch: merged.shape.finals(merged.table), Provenance: m.provenance(&q, merged.reading, merged.heads)}, nil
}

// Part is one of several parts of a view's groups, by a hash of the first key.
type Part struct{ Number, Of int }

// Partials reads what a manifest publishes of a view: its groups by pane and keys, where
// whole is set by keys alone, as columns of the pane, the keys, and a text for each state.
// The rows of one first key are in one part.
func Partials(ctx context.Context, batch Batch, table string, v *catalog.View, manifest *publication.Manifest, whole bool, part Part) (*event.Batch, error) {
	q := Query{View: v, From: MinTime, To: MaxTime}
	if !whole {
		q.Bucketing, q.Step = ByStep, plan.Window{N: v.Plan.Pane, Unit: plan.Second}
	}
	s, err := newShape(&q)
	if err != nil {
		return nil, err
	}
	days := s.days(manifest)
	if days == "" {
		return &event.Batch{}, nil
	}
	s.part = part
	b, err := batch.QueryBatch(ctx, s.batchSQL(table, days))
	if err != nil {
		return nil, fmt.Errorf("read generation %d of %s: %w", manifest.Generation, v.Plan.Name, err)
	}
	return b, nil
}
