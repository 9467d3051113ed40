package redisview

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/internal/event"
)

// fieldsPerCommand is the most fields of one HSET. Commands of a thousand fields
// already cost what larger ones do per field, and keep the server's argument vector small.
const fieldsPerCommand = 1000

// Load returns the checkpoint of a view's partition; ok is false where there is none.
func (s *Store) Load(ctx context.Context, view string, partition int) (c Checkpoint, ok bool, err error) {
	c, ok, err = get(ctx, s.client, posKey(view, partition))
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("load checkpoint of %s/%d: %w", view, partition, err)
	}
	return c, ok, nil
}

// get reads the checkpoint at key through a client or a transaction.
func get(ctx context.Context, from redis.Cmdable, key string) (Checkpoint, bool, error) {
	return parsed(from.Get(ctx, key))
}

// parsed decodes the reply of a GET of a checkpoint.
func parsed(reply *redis.StringCmd) (Checkpoint, bool, error) {
	v, err := reply.Result()
	if errors.Is(err, redis.Nil) {
		return Checkpoint{}, false, nil
	}
	if err != nil {
		return Checkpoint{}, false, err
	}
	c, err := DecodeCheckpoint(v)
	return c, err == nil, err
}

// Begin starts the partials of a view's partition anew at a checkpoint, whose epoch is
// the cut: it deletes what is there and writes the checkpoint, in one transaction.
// ErrFenced where a newer writer is there. After another error it may have happened or
// not; it is idempotent.
func (s *Store) Begin(ctx context.Context, view string, partition int, at Checkpoint) error {
	at.Base = at.Epoch
	pos, epochs := posKey(view, partition), epochsKey(view, partition)
	err := s.transact(ctx, view, partition, func(tx *redis.Tx) error {
		stored, ok, err := get(ctx, tx, pos)
		if err != nil {
			return err
		}
		if ok && stored.Fence > at.Fence {
			return ErrFenced
		}
		there, err := listEpochs(ctx, tx, epochs)
		if err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, e := range there {
				p.Unlink(ctx, epochKey(view, partition, e))
			}
			p.Unlink(ctx, epochs)
			p.Set(ctx, pos, at.Encode(), 0)
			return nil
		})
		return err
	}, epochs)
	if err != nil {
		return fmt.Errorf("begin %s/%d at entry %d: %w", view, partition, at.Seq, err)
	}
	return nil
}

// Flush writes changed partials of epoch next.Epoch and moves the checkpoint from prev to
// next, in one transaction. ErrLost where the stored checkpoint is not prev, ErrFenced
// where its token is greater than next's: then nothing was written. After any other
// error the outcome is unknown, and Settle tells it.
func (s *Store) Flush(ctx context.Context, view string, partition int, prev, next Checkpoint, changed []Partial) error {
	pos := posKey(view, partition)
	err := s.transact(ctx, view, partition, func(tx *redis.Tx) error {
		stored, ok, err := get(ctx, tx, pos)
		if err != nil {
			return err
		}
		if err := Compare(stored, ok, prev, next); err != nil {
			return err
		}
		moved := next
		moved.Base = stored.Base
		var set *redis.BoolCmd
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			if len(changed) > 0 {
				appendFields(ctx, p, epochKey(view, partition, next.Epoch), changed)
				p.SAdd(ctx, epochsKey(view, partition), int64(next.Epoch))
			}
			// Only where there is one still: a FLUSHALL in between does not fail the
			// transaction in miniredis, as it does in Redis, and must not leave a
			// checkpoint over half a state.
			set = p.SetXX(ctx, pos, moved.Encode(), 0)
			return nil
		})
		if err == nil && !set.Val() {
			return ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("flush %s/%d to entry %d: %w", view, partition, next.Seq, err)
	}
	return nil
}

// Compare says why a writer may not move from prev to next where stored is there, ok
// says whether anything is, or nil where it may.
func Compare(stored Checkpoint, ok bool, prev, next Checkpoint) error {
	switch {
	case !ok:
		return ErrLost
	case stored.Fence > next.Fence:
		return ErrFenced
	case !stored.SamePosition(prev):
		return ErrLost
	}
	return nil
}

// Settle tells how a Flush ended whose connection failed: applied, or not applied and
// to be repeated. ErrLost and ErrFenced are as with Flush.
func (s *Store) Settle(ctx context.Context, view string, partition int, prev, next Checkpoint) (applied bool, err error) {
	stored, ok, err := s.Load(ctx, view, partition)
	if err != nil {
		return false, err
	}
	if ok && stored.SamePosition(next) {
		return true, nil
	}
	if err := Compare(stored, ok, prev, next); err != nil {
		return false, fmt.Errorf("settle flush of %s/%d to entry %d: %w", view, partition, next.Seq, err)
	}
	return false, nil
}

// raw hands bytes to go-redis by reference: a []byte in an interface would be one
// allocation per field and value.
type raw []byte

// MarshalBinary implements encoding.BinaryMarshaler without a copy.
func (r *raw) MarshalBinary() ([]byte, error) { return *r, nil }

// appendFields queues the partials as fields of the hash, in as few commands as allowed.
func appendFields(ctx context.Context, p redis.Pipeliner, key string, partials []Partial) {
	for len(partials) > 0 {
		n := min(len(partials), fieldsPerCommand)
		args := make([]any, 2, 2+2*n)
		args[0], args[1] = "hset", key
		for i := range partials[:n] {
			args = append(args, (*raw)(&partials[i].Key), (*raw)(&partials[i].States))
		}
		_ = p.Process(ctx, redis.NewIntCmd(ctx, args...)) // only queues
		partials = partials[n:]
	}
}

// listEpochs returns the epochs that have partials, in any order.
func listEpochs(ctx context.Context, from redis.Cmdable, key string) ([]event.Epoch, error) {
	members, err := from.SMembers(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	return parseEpochs(members)
}

// DeleteThrough removes the partials of epochs at or below e, a published cut, and
// raises the checkpoint's Base to it. It may run beside the writer and is idempotent.
func (s *Store) DeleteThrough(ctx context.Context, view string, partition int, e event.Epoch) error {
	pos, epochs := posKey(view, partition), epochsKey(view, partition)
	err := s.transact(ctx, view, partition, func(tx *redis.Tx) error {
		c, ok, err := get(ctx, tx, pos)
		if err != nil {
			return err
		}
		there, err := listEpochs(ctx, tx, epochs)
		if err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, old := range there {
				if old.CoveredBy(e) {
					p.Unlink(ctx, epochKey(view, partition, old))
					p.SRem(ctx, epochs, strconv.FormatInt(int64(old), 10))
				}
			}
			if ok {
				c.Base = max(c.Base, e)
				p.SetXX(ctx, pos, c.Encode(), 0)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("delete epochs through %d of %s/%d: %w", e, view, partition, err)
	}
	return nil
}

// Drop removes all keys of a view. Its writers must have ended.
func (s *Store) Drop(ctx context.Context, view string, partitions int) error {
	for partition := range partitions {
		epochs := epochsKey(view, partition)
		there, err := listEpochs(ctx, s.client, epochs)
		if err != nil {
			return fmt.Errorf("drop %s/%d: %w", view, partition, err)
		}
		keys := []string{posKey(view, partition), epochs}
		for _, e := range there {
			keys = append(keys, epochKey(view, partition, e))
		}
		if err := s.client.Unlink(ctx, keys...).Err(); err != nil {
			return fmt.Errorf("drop %s/%d: %w", view, partition, err)
		}
	}
	return nil
}
