package appliance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sql"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/speed/board"
	"github.com/millrace/millrace/speed/redisboard"
	"github.com/millrace/millrace/speed/worker"
)

// boardPartRows is how many groups of the batch layer a leaderboard that is built anew
// reads at a time: some tens of megabytes.
const boardPartRows = 500_000

// boardsAtWork are the workers of one leaderboard, one for each partition.
type boardsAtWork struct {
	workers []*board.Worker
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// CreateLeaderboard declares a leaderboard and returns when it can be read.
func (a *Appliance) CreateLeaderboard(ctx context.Context, s *sql.CreateLeaderboard) error {
	a.define.Lock()
	defer a.define.Unlock()
	if err := a.unlessStalled(ctx, a.layersReady); err != nil {
		return err
	}
	v, err := a.catalog.CreateLeaderboard(ctx, s)
	if err != nil {
		return err
	}
	if err := a.openNew(ctx, v, a.catalog.DropLeaderboard); err != nil {
		return err
	}
	a.o.Log.Info("leaderboard created", "leaderboard", v.Plan.Name)
	return a.awaitBoard(ctx, v)
}

// awaitBoard waits until a leaderboard can be read. Where ctx ends first it goes on being
// built, and readers are told to try again.
func (a *Appliance) awaitBoard(ctx context.Context, v *catalog.View) error {
	r, err := a.stream(v.StreamID)
	if err != nil {
		return err
	}
	a.mu.RLock()
	work := r.boards[v.ID]
	a.mu.RUnlock()
	for _, w := range work.workers {
		select {
		case <-w.Ready():
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// DropLeaderboard ends a leaderboard and removes what it kept.
func (a *Appliance) DropLeaderboard(ctx context.Context, name string) error {
	a.define.Lock()
	defer a.define.Unlock()
	if err := a.unlessStalled(ctx, a.layersReady); err != nil {
		return err
	}
	return a.dropView(ctx, name, a.catalog.DropLeaderboard)
}

// startBoard starts to keep a leaderboard ranked; for a view that is none it does nothing.
func (a *Appliance) startBoard(ctx context.Context, r *running, v *catalog.View) error {
	if v.Board == nil {
		return nil
	}
	work := &boardsAtWork{}
	for partition := range r.def.Plan.Partitions {
		fence, err := a.backend.Fence(ctx, fmt.Sprintf("board.%s.%d", v.ID, partition))
		if err != nil {
			return fmt.Errorf("get fencing token of leaderboard %s: %w", v.Plan.Name, err)
		}
		work.workers = append(work.workers, board.New(board.Options{
			Tail: a.tailOptions(r, partition), Store: redisboard.New(a.speed.Client()), ID: v.ID, Plan: v.Board,
			Fence: fence, History: a.boardHistory(v, partition), FlushEvery: a.o.Config.Flush, Metrics: a.metrics.board,
			Logger: a.o.Log.With("stream", r.def.Plan.Name),
		}))
	}
	var reading context.Context
	reading, work.cancel = context.WithCancel(r.reading)
	for _, w := range work.workers {
		work.wg.Go(func() { r.fail(w.Run(reading)) })
	}
	a.mu.Lock()
	r.boards[v.ID] = work
	a.mu.Unlock()
	return nil
}

// stopBoard ends the work on a leaderboard and removes what it left in Redis.
func (a *Appliance) stopBoard(ctx context.Context, r *running, v *catalog.View) error {
	if v.Board == nil {
		return nil
	}
	a.mu.Lock()
	work := r.boards[v.ID]
	delete(r.boards, v.ID)
	a.mu.Unlock()
	if work != nil {
		work.stop()
	}
	a.metrics.board.Forget(v.ID)
	var errs []error
	for partition := range r.def.Plan.Partitions {
		errs = append(errs, redisboard.New(a.speed.Client()).Drop(ctx, redisboard.Board{ID: v.ID, Plan: v.Board, Partition: partition}))
	}
	return errors.Join(errs...)
}

func (w *boardsAtWork) stop() {
	w.cancel()
	w.wg.Wait()
}

// BoardStatus is the state of one leaderboard.
type BoardStatus struct {
	Windows   []string `json:"windows"`
	LagMillis int64    `json:"lag_ms"` // of the partition that is furthest behind
	Error     string   `json:"error,omitempty"`
}

// boardStatus says where a leaderboard stands; nil for a view that is none.
func (a *Appliance) boardStatus(r *running, v *catalog.View) *BoardStatus {
	if v.Board == nil {
		return nil
	}
	s := &BoardStatus{Windows: v.Board.WindowNames()}
	now := time.Now()
	for partition, at := range a.boardAt(r, v.ID) {
		s.LagMillis = max(s.LagMillis, a.lagMillis(standing{partition: partition, seq: at.Seq, head: r.log.acked(partition), arrival: at.Arrival}, now))
		if at.Error != "" {
			s.Error = at.Error
		}
	}
	return s
}

// boardAt says where a leaderboard stands in each partition; nil where it is being created
// or dropped at this moment.
func (a *Appliance) boardAt(r *running, id string) []board.Status {
	a.mu.RLock()
	work := r.boards[id]
	a.mu.RUnlock()
	if work == nil {
		return nil
	}
	at := make([]board.Status, len(work.workers))
	for partition, w := range work.workers {
		at[partition] = w.Status()
	}
	return at
}

// boardHistory reads what is published of a leaderboard in one partition.
func (a *Appliance) boardHistory(v *catalog.View, partition int) board.History {
	whole := true // no window but all time: the days need not be told apart
	for _, w := range v.Board.Windows {
		whole = whole && w.Window.Unit == plan.NoUnit
	}
	table := sql.QuoteName(tableName(v.ID))
	return func(ctx context.Context, each func(*event.Batch) error) (worker.Cut, error) {
		began := time.Now()
		m, err := a.publications.Current(ctx, v.ID)
		if err != nil {
			return worker.Cut{}, err
		}
		if m == nil {
			return worker.Cut{}, fmt.Errorf("leaderboard %s has no publication yet", v.Plan.Name)
		}
		parts := int(m.Rows/boardPartRows) + 1
		for part := range parts {
			b, err := merge.Partials(ctx, a.clickhouse, table, v, m, whole, merge.Part{Number: part, Of: parts})
			if err != nil {
				return worker.Cut{}, err
			}
			if b.Rows == 0 {
				continue
			}
			if err := each(b); err != nil {
				return worker.Cut{}, err
			}
		}
		// The rows of a generation stay for the grace after it was superseded.
		if time.Since(began) >= a.o.Config.Grace {
			now, err := a.publications.Current(ctx, v.ID)
			if err != nil {
				return worker.Cut{}, err
			}
			if now == nil || now.Generation != m.Generation {
				return worker.Cut{}, fmt.Errorf("generation %d was superseded while it was read", m.Generation)
			}
		}
		return cutOf(m, partition), nil
	}
}
