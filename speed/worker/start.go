package worker

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/speed/redisview"
)

// opened is a view's state as it stands in Redis after a start.
type opened struct {
	at    redisview.Checkpoint
	table *agg.Table // the groups of epoch at.Epoch
	begun bool       // anew, at the cut
}

// open takes over what Redis holds of a view, or begins anew at the published cut. It
// begins anew where Redis holds nothing, something older than the cut, something that
// lacks epochs after the cut, something of another log, or something unreadable.
func (w *Worker) open(ctx context.Context, id string, view *plan.View) (opened, error) {
	partition := w.o.Tail.Partition
	cut, err := w.o.Cut(ctx, id)
	if err != nil {
		return opened{}, fmt.Errorf("find the cut: %w", err)
	}
	head, err := w.o.Tail.Log.Head(ctx, partition)
	if err != nil {
		return opened{}, fmt.Errorf("find the log's head: %w", err)
	}
	stored, ok, err := w.o.Store.Load(ctx, id, partition)
	if err != nil {
		return opened{}, err
	}
	if !ok || stored.Seq < cut.Seq || !stored.Base.CoveredBy(cut.Epoch) || stored.Seq > head {
		return w.begin(ctx, id, view, cut)
	}
	// The token goes in at once, so that a writer before this one can do nothing more.
	at := stored
	at.Fence = w.o.Fence
	if err := w.o.Store.Flush(ctx, id, partition, stored, at, nil); err != nil {
		return opened{}, err
	}
	partials, err := w.o.Store.LoadEpoch(ctx, id, partition, at.Epoch)
	if err != nil {
		return opened{}, err
	}
	table := view.NewTable()
	if err := fill(table, partials); err != nil {
		w.log.Warn("speed state is not readable and is built again", "view", id, "epoch", at.Epoch, "error", err)
		return w.begin(ctx, id, view, cut)
	}
	return opened{at: at, table: table}, nil
}

// begin starts a view's state in Redis anew at the cut.
func (w *Worker) begin(ctx context.Context, id string, view *plan.View, cut Cut) (opened, error) {
	at := redisview.Checkpoint{Fence: w.o.Fence, Seq: cut.Seq, Arrival: cut.Arrival, Epoch: cut.Epoch, Base: cut.Epoch}
	if err := w.o.Store.Begin(ctx, id, w.o.Tail.Partition, at); err != nil {
		return opened{}, err
	}
	return opened{at: at, table: view.NewTable(), begun: true}, nil
}

// fill puts the partials of one epoch into an empty table.
func fill(table *agg.Table, partials []redisview.Partial) error {
	for _, p := range partials {
		g, err := table.GroupOf(p.Key)
		if err != nil {
			return fmt.Errorf("decode key: %w", err)
		}
		if err := table.MergePartial(g, p.States); err != nil {
			return fmt.Errorf("decode states: %w", err)
		}
	}
	table.ClearDirty()
	return nil
}
