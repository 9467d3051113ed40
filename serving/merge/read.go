package merge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/batch/publication"
	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/speed/redisview"
)

const (
	// PollInterval is how often a waiting query looks at the speed layer again.
	PollInterval = 10 * time.Millisecond
	// RebuildWait is how long a query that did not ask to wait waits for speed state that
	// was lost and is being rebuilt, so that an answer does not step back in time.
	RebuildWait = 5 * time.Second
)

// reading is one consistent pair of publication and speed state.
type reading struct {
	manifest  *publication.Manifest
	snapshots []redisview.Snapshot // by partition; with every epoch after the cut
}

// position returns the last entry of a partition that the reading covers.
func (r *reading) position(partition int) (seq uint64, arrival int64) {
	if partition < len(r.manifest.Positions) {
		p := r.manifest.Positions[partition]
		seq, arrival = p.Seq, p.Arrival
	}
	s := r.snapshots[partition]
	if s.Found && s.Checkpoint.Seq > seq {
		seq, arrival = s.Checkpoint.Seq, s.Checkpoint.Arrival
	}
	return seq, arrival
}

// positions are those of all partitions.
func (r *reading) positions() []uint64 {
	positions := make([]uint64, len(r.snapshots))
	for p := range positions {
		positions[p], _ = r.position(p)
	}
	return positions
}

// reaches reports whether the reading covers the heads.
func (r *reading) reaches(heads []uint64) bool {
	for p, head := range heads {
		if seq, _ := r.position(p); seq < head {
			return false
		}
	}
	return true
}

// lost reports whether a partition has no speed state.
func (r *reading) lost() bool {
	for _, s := range r.snapshots {
		if !s.Found {
			return true
		}
	}
	return false
}

// Heads returns the newest acknowledged entry of each partition of a view's stream.
func Heads(ctx context.Context, log Log, v *catalog.View) ([]uint64, error) {
	heads := make([]uint64, v.Plan.Stream.Partitions)
	for p := range heads {
		head, err := log.Head(ctx, v.StreamID, p)
		if err != nil {
			return nil, fmt.Errorf("read head of %s/%d: %w", v.StreamID, p, err)
		}
		heads[p] = head
	}
	return heads, nil
}

// read takes readings until one covers the heads or the wait is over. A speed layer that
// does not answer, as while Redis restarts, is waited for like one that is rebuilt.
func (m *Merger) read(ctx context.Context, v *catalog.View, heads []uint64, wait time.Duration) (*reading, error) {
	start := time.Now()
	for {
		r, err := m.readOnce(ctx, v)
		var refused *problem.Problem
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &refused):
			return nil, err
		case err != nil && time.Since(start) >= max(wait, RebuildWait):
			m.logger.Warn("read speed layer", "view", v.Plan.Name, "error", err)
			return nil, problem.Busy("the speed layer does not answer at the moment", time.Second)
		case err == nil:
			patience := wait
			if r.lost() || m.progress.Behind(v.ID, r.positions()) {
				patience = max(wait, RebuildWait)
			}
			if r.reaches(heads) || time.Since(start) >= patience {
				m.progress.Note(v.ID, r.positions())
				return r, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(PollInterval):
		}
	}
}

// readOnce takes one reading. It fails with redisview.ErrStaleCut where the publication
// moved on in the middle: the speed layer then no longer holds every epoch after the cut.
func (m *Merger) readOnce(ctx context.Context, v *catalog.View) (*reading, error) {
	manifest, err := m.publications.Current(ctx, v.ID)
	if err != nil {
		return nil, fmt.Errorf("read publication of %s: %w", v.Plan.Name, err)
	}
	if manifest == nil {
		p := problem.New(http.StatusServiceUnavailable, "backfilling",
			fmt.Sprintf("view %s has no publication yet: its history is being computed", v.Plan.Name), "try again soon")
		p.RetryAfter = time.Second
		return nil, p
	}
	r := &reading{manifest: manifest, snapshots: make([]redisview.Snapshot, v.Plan.Stream.Partitions)}
	g, gctx := errgroup.WithContext(ctx)
	for p := range r.snapshots {
		g.Go(func() error {
			s, err := m.snapshot(gctx, v.ID, p, manifest.Cut)
			r.snapshots[p] = s
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("read speed state of %s: %w", v.Plan.Name, err)
	}
	return r, nil
}

// snapshot reads one partition and completes it with the sealed epochs that are held.
func (m *Merger) snapshot(ctx context.Context, view string, partition int, cut event.Epoch) (redisview.Snapshot, error) {
	held := m.sealed.epochs(view, partition)
	s, err := m.speed.Snapshot(ctx, view, partition, cut, func(e event.Epoch) bool { _, ok := held[e]; return ok })
	if err != nil || !s.Found {
		return s, err
	}
	for _, e := range s.Epochs {
		// Only an epoch before the checkpoint's is sealed: its partials never change again.
		if e.Epoch < s.Checkpoint.Epoch {
			m.sealed.put(view, partition, e)
		}
	}
	for _, e := range s.Held {
		s.Epochs = append(s.Epochs, held[e])
	}
	return s, nil
}

func (m *Merger) provenance(q *Query, r *reading, heads []uint64) Provenance {
	p := Provenance{
		View: q.View.Plan.Name, Generation: r.manifest.Generation,
		Complete: r.reaches(heads), Rejected: m.log.Rejected(q.View.StreamID),
	}
	if r.manifest.Cut != event.NoEpoch {
		end := (r.manifest.Cut + 1).Start(m.epochLength)
		p.Cut, p.CutTime = &r.manifest.Cut, &end
	}
	p.From, p.To = q.bounds()
	now := time.Now()
	for i, head := range heads {
		seq, arrival := r.position(i)
		part := PartitionAt(i, seq, head, arrival, now)
		p.LagMillis = max(p.LagMillis, part.LagMillis)
		p.Partitions = append(p.Partitions, part)
	}
	return p
}

// bounds are the query's, nil where it has none.
func (q *Query) bounds() (from, to *time.Time) {
	if q.From > MinTime {
		t := time.Unix(q.From, 0).UTC()
		from = &t
	}
	if q.To < MaxTime {
		t := time.Unix(q.To, 0).UTC()
		to = &t
	}
	return from, to
}

// PartitionAt says how far an answer reaches in a partition whose head was as given when
// the query came; arrival, ns, is that of entry seq.
func PartitionAt(partition int, seq, head uint64, arrival int64, now time.Time) Partition {
	part := Partition{Partition: partition, Position: seq, Head: max(head, seq), Arrival: time.Unix(0, arrival).UTC()}
	if seq < head {
		part.LagMillis = max(now.Sub(part.Arrival).Milliseconds(), 1)
	}
	return part
}
