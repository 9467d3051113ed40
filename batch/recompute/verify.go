package recompute

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/lake/seal"
)

// Verify compares the table with the manifest and recomputes, at the same cut, the days
// that differ: after ClickHouse lost them, or lost its power. Answers are the same before
// and after; while it repairs, they are not, so that it comes before serving.
func (r *Runner) Verify(ctx context.Context, v *catalog.View, lake *seal.Index) error {
	_, unlock, err := r.lock(ctx, v.ID)
	if err != nil {
		return fmt.Errorf("verify view %s: %w", v.Plan.Name, err)
	}
	defer unlock()
	m, err := r.o.Publications.Current(ctx, v.ID)
	if err != nil || m == nil {
		return err
	}
	if err := r.prepare(ctx, v, m); err != nil {
		return fmt.Errorf("verify view %s: %w", v.Plan.Name, err)
	}
	if err := r.repair(ctx, v, lake, m, r.differing); err != nil {
		return fmt.Errorf("verify view %s: %w", v.Plan.Name, err)
	}
	return nil
}

// repair recomputes the days of a published manifest that find says are damaged, at its
// cut and into the generations that the manifest names.
func (r *Runner) repair(ctx context.Context, v *catalog.View, lake *seal.Index, m *publication.Manifest,
	find func(context.Context, *catalog.View, *publication.Manifest) ([]int32, error)) error {
	days, err := find(ctx, v, m)
	if err != nil || len(days) == 0 {
		return err
	}
	r.o.Log.Warn("batch table differs from its manifest and is repaired", "view", v.Plan.Name, "days", len(days))
	damaged := map[uint64][]int32{}
	for _, d := range days {
		generation := m.Days[d].Generation
		damaged[generation] = append(damaged[generation], d)
	}
	for generation, days := range damaged {
		if err := r.dropParts(ctx, v, func(p part) bool { return p.generation == generation && slices.Contains(days, p.day) }); err != nil {
			return err
		}
		again := &publication.Manifest{Generation: generation, Cut: m.Cut, Days: map[int32]publication.Day{}}
		if err := r.compute(ctx, v, lake, again, days); err != nil {
			return err
		}
		for _, d := range days {
			if again.Days[d] != m.Days[d] {
				return fmt.Errorf("day %s of generation %d was recomputed to %+v, its manifest says %+v; run: millrace rebuild %s",
					date(d), generation, again.Days[d], m.Days[d], v.Plan.Name)
			}
		}
	}
	return nil
}

// differing returns the days of the manifest whose content in the table is another.
func (r *Runner) differing(ctx context.Context, v *catalog.View, m *publication.Manifest) ([]int32, error) {
	have, err := r.stats(ctx, v, "true")
	if err != nil {
		return nil, err
	}
	var days []int32
	for d, want := range m.Days {
		if have[part{d, want.Generation}] != want {
			days = append(days, d)
		}
	}
	return days, nil
}

// missing returns the days of the manifest of which the table has not as many rows. It
// reads metadata only, so that every run can afford it: a table that was dropped is
// found before its days are published again.
func (r *Runner) missing(ctx context.Context, v *catalog.View, m *publication.Manifest) ([]int32, error) {
	have, err := r.parts(ctx, v)
	if err != nil {
		return nil, err
	}
	var days []int32
	for d, want := range m.Days {
		if have[part{d, want.Generation}].rows != want.Groups {
			days = append(days, d)
		}
	}
	return days, nil
}

// Collect drops the days that the published manifest does not name, once they have not
// been named for the grace: until then queries may still read an older manifest. done
// reports whether the published manifest itself is as old as that, so that nobody reads
// the one before it.
func (r *Runner) Collect(ctx context.Context, v *catalog.View) (done bool, err error) {
	s, unlock, err := r.lock(ctx, v.ID)
	if err != nil {
		return false, fmt.Errorf("collect old generations of view %s: %w", v.Plan.Name, err)
	}
	defer unlock()
	m, err := r.o.Publications.Current(ctx, v.ID)
	if err != nil || m == nil {
		return false, err
	}
	if err := r.collect(ctx, v, s, m, time.Now()); err != nil {
		return false, fmt.Errorf("collect old generations of view %s: %w", v.Plan.Name, err)
	}
	return time.Since(m.Created) >= r.o.Grace, nil
}

func (r *Runner) collect(ctx context.Context, v *catalog.View, s *state, m *publication.Manifest, now time.Time) error {
	parts, err := r.parts(ctx, v)
	if err != nil {
		return err
	}
	unread := make(map[part]time.Time)
	over := make(map[part]bool)
	for p := range parts {
		if d, named := m.Days[p.day]; named && d.Generation == p.generation {
			continue
		}
		since, known := s.unread[p]
		if !known {
			// After a restart nobody reads what was superseded before; the manifest's own
			// age is the least time that this is so.
			since = m.Created
		}
		if now.Sub(since) >= r.o.Grace {
			over[p] = true
		} else {
			unread[p] = since
		}
	}
	s.unread = unread
	if len(over) == 0 {
		return nil
	}
	return r.dropParts(ctx, v, func(p part) bool { return over[p] })
}

// Drop removes the view's table.
func (r *Runner) Drop(ctx context.Context, v *catalog.View) error {
	_, unlock, err := r.lock(ctx, v.ID)
	if err != nil {
		return fmt.Errorf("drop batch table of view %s: %w", v.Plan.Name, err)
	}
	defer unlock()
	if err := r.o.Engine.Exec(ctx, "DROP TABLE IF EXISTS "+sql.QuoteName(r.o.TableName(v.ID))); err != nil {
		return fmt.Errorf("drop batch table of view %s: %w", v.Plan.Name, err)
	}
	r.mu.Lock()
	delete(r.views, v.ID)
	r.mu.Unlock()
	r.drifted.DeleteLabelValues(v.Plan.Name)
	return r.o.Ledger.Drop(ctx, v.ID)
}

// date names a day in messages.
func date(day int32) string {
	return time.Unix(int64(day)*secondsPerDay, 0).UTC().Format(time.DateOnly)
}
