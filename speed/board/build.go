package board

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/ranking"
)

// build begins the state anew at the published cut: it fills Redis from what the batch
// layer has published, and marks the state as readable when all of it is there.
func (s *session) build(ctx context.Context) error {
	began := time.Now()
	at, err := s.o.Store.Begin(ctx, s.board, s.o.Fence)
	if err != nil {
		return err
	}
	next := at
	next.Building, next.Floor = false, s.floor()
	members := 0
	cut, err := s.o.History(ctx, func(b *event.Batch) error {
		s.tally.Reset()
		if err := s.tally.Add(ranking.BatchGroups(b), s.own(&b.Columns[1], b.Rows), next.Floor); err != nil {
			return err
		}
		touched, places := s.touched()
		totals, err := s.totals(places, nil)
		if err != nil {
			return err
		}
		for i := range touched {
			s.windows[touched[i].Instance] = true
		}
		members += s.tally.Len()
		return s.o.Store.Fill(ctx, s.board, at, touched, totals)
	})
	if err != nil {
		return fmt.Errorf("build the leaderboard from the batch layer: %w", err)
	}
	next.Seq, next.Arrival, next.Epoch, next.Base = cut.Seq, cut.Arrival, cut.Epoch, cut.Epoch
	if err := s.o.Store.Flush(ctx, s.board, at, next, nil, nil, nil); err != nil {
		return err
	}
	s.stored, s.applied, s.verified, s.progressed = next, next, time.Now(), true
	s.o.Metrics.rebuilds.WithLabelValues(s.o.ID).Inc()
	if members > 0 {
		s.log.Info("leaderboard built from the batch layer", "totals", members, "took", time.Since(began))
	}
	return nil
}

// own lists the rows whose member is of this partition.
func (s *session) own(members *event.Vector, rows int) []uint32 {
	partitions := s.o.Tail.Log.Partitions()
	own := make([]uint32, 0, rows/partitions)
	var key []byte
	for i := range rows {
		key = event.AppendPartitionKey(key[:0], members, i)
		if partitions == 1 || event.PartitionOf(key, partitions) == s.o.Tail.Partition {
			own = append(own, uint32(i))
		}
	}
	return own
}
