package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/speed/redisview"
)

// CountEvents returns how many events the partials of the epochs (from, to] stand for,
// over all partitions of the view's stream. comparable is false where the speed layer
// does not hold these epochs whole: it is behind, was rebuilt after from, or is empty.
func CountEvents(ctx context.Context, s *redisview.Store, id string, view *plan.View, from, to event.Epoch) (events int64, comparable bool, err error) {
	for partition := range view.Stream.Partitions {
		snapshot, err := s.Snapshot(ctx, id, partition, from, nil)
		if errors.Is(err, redisview.ErrStaleCut) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, fmt.Errorf("count events of the speed layer: %w", err)
		}
		if !snapshot.Found || snapshot.Checkpoint.Epoch.CoveredBy(to) {
			return 0, false, nil
		}
		for _, e := range snapshot.Epochs {
			if !e.Epoch.CoveredBy(to) {
				continue
			}
			table := view.NewTable()
			if err := fill(table, e.Partials); err != nil {
				return 0, false, fmt.Errorf("count events of the speed layer: epoch %d: %w", e.Epoch, err)
			}
			for _, n := range table.Final(len(view.Aggregates) - 1).U64 {
				events += int64(n)
			}
		}
	}
	return events, true, nil
}
