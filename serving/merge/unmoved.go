package merge

import (
	"context"
	"fmt"
	"time"
)

// Unmoved reports whether a query would be answered at this moment just as when its answer
// had the given provenance: nothing was acknowledged or published since, and its range is
// over the same panes. It reads neither layer, so that it is cheap to ask often.
func (m *Merger) Unmoved(ctx context.Context, q Query, p Provenance) (bool, error) {
	q.cutToPanes(time.Now())
	from, to := q.bounds()
	if !p.Complete || !sameTime(from, p.From) || !sameTime(to, p.To) || p.Rejected != m.log.Rejected(q.View.StreamID) {
		return false, nil
	}
	manifest, err := m.publications.Current(ctx, q.View.ID)
	if err != nil {
		return false, fmt.Errorf("read publication of %s: %w", q.View.Plan.Name, err)
	}
	if manifest == nil || manifest.Generation != p.Generation {
		return false, nil
	}
	heads, err := Heads(ctx, m.log, q.View)
	if err != nil {
		return false, err
	}
	for i, head := range heads {
		if i >= len(p.Partitions) || p.Partitions[i].Position < head {
			return false, nil
		}
	}
	return true, nil
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
