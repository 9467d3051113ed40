package merge

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
)

const secondsPerDay = 86400

// addBatch merges the published generation into the answer's table.
func (m *Merger) addBatch(ctx context.Context, table *agg.Table, s *shape, manifest *publication.Manifest) error {
	days := s.days(manifest)
	if days == "" {
		return nil
	}
	query := s.batchSQL(m.table(s.query.View.ID), days)
	partials, ok := m.generations.get(query)
	if !ok {
		var err error
		if partials, err = m.batch.QueryBatch(ctx, query); err != nil {
			return fmt.Errorf("read generation %d of %s: %w", manifest.Generation, s.view.Name, err)
		}
		m.generations.put(query, partials, partials.SizeBytes(), nil)
	}
	return s.addPartials(table, partials)
}

// days is the condition that picks the manifest's generation of each day in the query's
// range; empty where there is none.
func (s *shape) days(m *publication.Manifest) string {
	byGeneration := map[uint64][]int32{}
	for day, d := range m.Days {
		start := int64(day) * secondsPerDay
		if start+secondsPerDay > s.query.From && start < s.query.To {
			byGeneration[d.Generation] = append(byGeneration[d.Generation], day)
		}
	}
	generations := make([]uint64, 0, len(byGeneration))
	for g := range byGeneration {
		generations = append(generations, g)
	}
	slices.Sort(generations)
	var terms []string
	for _, g := range generations {
		days := byGeneration[g]
		slices.Sort(days)
		terms = append(terms, fmt.Sprintf("(_generation = %d AND toInt32(_day) IN (%s))", g, joinInts(days)))
	}
	return strings.Join(terms, " OR ")
}

func joinInts(days []int32) string {
	var b []byte
	for i, d := range days {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(d), 10)
	}
	return string(b)
}

// batchSQL selects (bucket, kept keys, states as bytes) of a generation.
func (s *shape) batchSQL(table, days string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s AS _bucket", s.bucketSQL())
	for _, k := range s.keep {
		fmt.Fprintf(&b, ", %s", sql.QuoteName(s.view.Keys[k].Name))
	}
	for _, a := range s.view.Aggregates {
		name, params, _ := strings.Cut(a.Func.Batch, "(")
		if params != "" {
			params = "(" + params
		}
		fmt.Fprintf(&b, ", unhex(hex(%sMergeState%s(%s)))", name, params, sql.QuoteName(a.Name))
	}
	fmt.Fprintf(&b, " FROM %s WHERE (%s)", table, days)
	if s.query.From > MinTime {
		fmt.Fprintf(&b, " AND toInt64(_pane) >= %d", s.query.From)
	}
	if s.query.To < MaxTime {
		fmt.Fprintf(&b, " AND toInt64(_pane) < %d", s.query.To)
	}
	if s.query.Where != nil {
		fmt.Fprintf(&b, " AND (%s)", s.query.Where.ClickHouse())
	}
	if s.part.Of > 1 {
		fmt.Fprintf(&b, " AND cityHash64(%s) %% %d = %d", sql.QuoteName(s.view.Keys[0].Name), s.part.Of, s.part.Number)
	}
	b.WriteString(" GROUP BY _bucket")
	for _, k := range s.keep {
		fmt.Fprintf(&b, ", %s", sql.QuoteName(s.view.Keys[k].Name))
	}
	return b.String()
}

// bucketSQL groups panes as far as plain arithmetic can; what is left of the calendar
// (weeks, months and longer, which begin with a day) is done by bucket, on days.
func (s *shape) bucketSQL() string {
	w := plan.Window{}
	switch s.query.Bucketing {
	case ByWindow:
		w = s.view.Window
	case ByStep:
		w = s.query.Step
	}
	if w.Unit == plan.NoUnit {
		return "toInt64(0)"
	}
	seconds := map[plan.Unit]int64{plan.Second: 1, plan.Minute: 60, plan.Hour: 3600, plan.Day: secondsPerDay}[w.Unit] * w.N
	if seconds == 0 {
		return "toInt64(toInt32(_day)) * 86400"
	}
	return fmt.Sprintf("toInt64(_pane) - positiveModulo(toInt64(_pane), toInt64(%d))", seconds)
}

// addPartials merges rows of batchSQL.
func (s *shape) addPartials(table *agg.Table, b *event.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	buckets := event.Vector{Type: s.keyTypes[0], I64: make([]int64, b.Rows)}
	for i, pane := range b.Columns[0].I64 {
		buckets.I64[i] = s.bucket(pane)
	}
	keys := []*event.Vector{&buckets}
	for i := range s.keep {
		keys = append(keys, &b.Columns[1+i])
	}
	groups := table.Groups(keys, b.Rows, nil)
	for i, f := range s.functions {
		states := &b.Columns[1+len(s.keep)+i].Str
		for row, g := range groups {
			rest, err := table.States[i].Merge(g, states.At(row))
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("%d bytes behind the state", len(rest))
			}
			if err != nil {
				return fmt.Errorf("merge batch state of %s in view %s: %w", f.Name, s.view.Name, err)
			}
		}
	}
	return nil
}
