package redisview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/internal/event"
)

// Epoch is the partials of one epoch in a snapshot.
type Epoch struct {
	Epoch    event.Epoch
	Partials []Partial
}

// Snapshot is one atomic reading of a view's partition.
type Snapshot struct {
	Checkpoint Checkpoint
	Found      bool    // false: no state there, as after FLUSHALL
	Epochs     []Epoch // ascending, those after the cut that had any partials and were not held
	// Held are the epochs after the cut that have partials but were left out because the
	// caller holds them: it adds exactly these. All are sealed at Checkpoint. An epoch
	// that the caller holds and that is not named here is not part of the snapshot: the
	// state is being built again and has not reached it.
	Held []event.Epoch
}

// LoadEpoch returns the partials of one epoch, in any order.
func (s *Store) LoadEpoch(ctx context.Context, view string, partition int, e event.Epoch) ([]Partial, error) {
	fields, err := s.client.HGetAll(ctx, epochKey(view, partition, e)).Result()
	if err != nil {
		return nil, fmt.Errorf("load epoch %d of %s/%d: %w", e, view, partition, err)
	}
	return partialsOf(fields), nil
}

// Snapshot reads checkpoint and partials of the epochs after the cut in one transaction.
// held reports whether the caller holds a sealed epoch already (may be nil).
// ErrStaleCut where some epochs after the cut are gone.
func (s *Store) Snapshot(ctx context.Context, view string, partition int, cut event.Epoch, held func(event.Epoch) bool) (Snapshot, error) {
	for range maxAttempts {
		snapshot, whole, err := s.trySnapshot(ctx, view, partition, cut, held)
		if err != nil {
			return Snapshot{}, fmt.Errorf("read %s/%d after cut %d: %w", view, partition, cut, err)
		}
		if whole {
			return snapshot, nil
		}
	}
	return Snapshot{}, fmt.Errorf("read %s/%d after cut %d: %w", view, partition, cut, errContended)
}

// trySnapshot lists the epochs and then reads them in one transaction. whole is false
// where the two do not fit, because the writer moved on in between.
func (s *Store) trySnapshot(ctx context.Context, view string, partition int, cut event.Epoch, held func(event.Epoch) bool) (snapshot Snapshot, whole bool, err error) {
	pos, epochs := posKey(view, partition), epochsKey(view, partition)
	listed := s.client.Pipeline()
	first, there := listed.Get(ctx, pos), listed.SMembers(ctx, epochs)
	if _, err := listed.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Snapshot{}, false, err
	}
	before, found, err := parsed(first)
	if err != nil {
		return Snapshot{}, false, err
	}
	if !found {
		return Snapshot{}, true, nil
	}
	wanted, err := after(there.Val(), cut)
	if err != nil {
		return Snapshot{}, false, err
	}

	read := s.client.TxPipeline()
	second, stillThere := read.Get(ctx, pos), read.SMembers(ctx, epochs)
	var replies []*redis.MapStringStringCmd
	for _, e := range wanted {
		if held != nil && e < before.Epoch && held(e) {
			snapshot.Held = append(snapshot.Held, e)
			continue
		}
		snapshot.Epochs = append(snapshot.Epochs, Epoch{Epoch: e})
		replies = append(replies, read.HGetAll(ctx, epochKey(view, partition, e)))
	}
	if _, err := read.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return Snapshot{}, false, err
	}
	snapshot.Checkpoint, snapshot.Found, err = parsed(second)
	if err != nil {
		return Snapshot{}, false, err
	}
	if !snapshot.Found {
		return Snapshot{}, true, nil
	}
	if !snapshot.Checkpoint.Base.CoveredBy(cut) {
		return Snapshot{}, false, ErrStaleCut
	}
	now, err := after(stillThere.Val(), cut)
	if err != nil {
		return Snapshot{}, false, err
	}
	// A position that went back means that the state was begun anew in between.
	if !slices.Equal(now, wanted) || snapshot.Checkpoint.Epoch < before.Epoch {
		return Snapshot{}, false, nil
	}
	for i, r := range replies {
		snapshot.Epochs[i].Partials = partialsOf(r.Val())
	}
	return snapshot, true, nil
}

// after returns the listed epochs that the cut does not cover, ascending.
func after(members []string, cut event.Epoch) ([]event.Epoch, error) {
	epochs, err := parseEpochs(members)
	if err != nil {
		return nil, err
	}
	epochs = slices.DeleteFunc(epochs, func(e event.Epoch) bool { return e.CoveredBy(cut) })
	slices.Sort(epochs)
	return epochs, nil
}

// partialsOf turns the reply of HGETALL into partials.
func partialsOf(fields map[string]string) []Partial {
	partials := make([]Partial, 0, len(fields))
	for k, v := range fields {
		partials = append(partials, Partial{Key: bytesOf(k), States: bytesOf(v)})
	}
	return partials
}

// bytesOf views a string of a reply as bytes without a copy. Nobody else has the
// string, so that even a write would be seen by the partial's owner only.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
