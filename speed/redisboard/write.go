package redisboard

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/speed/redisview"
)

// Begin deletes the state of a leaderboard's partition and marks it as being built. It
// returns the checkpoint from which Fill and Finish go on. redisview.ErrFenced where a
// newer writer is there.
func (s *Store) Begin(ctx context.Context, b Board, fence uint64) (Checkpoint, error) {
	at := initial(fence)
	err := redisview.Transact(ctx, s.client, func(tx *redis.Tx) error {
		// What cannot be read is deleted like all else, once no newer writer is there.
		if stored, ok, err := parsed(tx.Get(ctx, b.posKey())); err == nil && ok && stored.Fence > fence {
			return redisview.ErrFenced
		}
		names, err := tx.SMembers(ctx, b.windowsKey()).Result()
		if err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, name := range names {
				p.Unlink(ctx, b.prefix()+"t:"+name, b.prefix()+"z:"+name)
			}
			p.Unlink(ctx, b.windowsKey())
			p.Set(ctx, b.posKey(), at.encode(), 0)
			return nil
		})
		return err
	}, b.posKey(), b.windowsKey())
	if err != nil {
		return at, fmt.Errorf("begin leaderboard %s/%d: %w", b.ID, b.Partition, err)
	}
	return at, nil
}

// Fill writes totals of members that are not there yet into a state that is being built.
// redisview.ErrLost where the state is not the one of at any more.
func (s *Store) Fill(ctx context.Context, b Board, at Checkpoint, touched []Touched, totals [][]Total) error {
	return s.move(ctx, b, at, at, "fill", func(*redis.Tx) (func(redis.Pipeliner), error) {
		return func(p redis.Pipeliner) {
			for i, t := range touched {
				write(ctx, p, b, t, nil, totals[i])
			}
		}, nil
	})
}

// Compute returns the new totals of touched members. old are those that Redis has, in the
// same order; the zero Total for a member that it does not have.
type Compute func(old [][]Total) ([][]Total, error)

// Flush reads the totals of the touched members, has the new ones computed, writes them,
// drops windows, and moves the checkpoint from prev to next, in one transaction.
// redisview.ErrLost where the stored checkpoint is not prev, redisview.ErrFenced where its
// token is greater than next's: then nothing was written. After any other error it may have
// happened or not: the checkpoint tells. compute may be called again.
func (s *Store) Flush(ctx context.Context, b Board, prev, next Checkpoint, touched []Touched, compute Compute, drop []ranking.Instance) error {
	return s.move(ctx, b, prev, next, "flush", func(tx *redis.Tx) (func(redis.Pipeliner), error) {
		old, err := readTotals(ctx, tx, b, touched)
		if err != nil {
			return nil, err
		}
		var totals [][]Total
		if len(touched) > 0 {
			if totals, err = compute(old); err != nil {
				return nil, err
			}
		}
		return func(p redis.Pipeliner) {
			for i, t := range touched {
				write(ctx, p, b, t, old[i], totals[i])
			}
			for _, i := range drop {
				p.Unlink(ctx, b.totalsKey(i), b.orderKey(i))
				p.SRem(ctx, b.windowsKey(), b.name(i))
			}
		}, nil
	})
}

// move changes the state in one transaction that moves the checkpoint from prev to next.
func (s *Store) move(ctx context.Context, b Board, prev, next Checkpoint, verb string, prepare func(*redis.Tx) (func(redis.Pipeliner), error)) error {
	err := redisview.Transact(ctx, s.client, func(tx *redis.Tx) error {
		stored, ok, err := parsed(tx.Get(ctx, b.posKey()))
		if err != nil {
			return err
		}
		if err := redisview.Compare(stored.Checkpoint, ok, prev.Checkpoint, next.Checkpoint); err != nil {
			return err
		}
		if stored != prev {
			return redisview.ErrLost
		}
		queue, err := prepare(tx)
		if err != nil {
			return err
		}
		var set *redis.BoolCmd
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			queue(p)
			// Only where there is one still: see redisview's Flush.
			set = p.SetXX(ctx, b.posKey(), next.encode(), 0)
			return nil
		})
		if err == nil && !set.Val() {
			return redisview.ErrLost
		}
		return err
	}, b.posKey())
	if err != nil {
		return fmt.Errorf("%s leaderboard %s/%d to entry %d: %w", verb, b.ID, b.Partition, next.Seq, err)
	}
	return nil
}

// readTotals reads the totals of the touched members.
func readTotals(ctx context.Context, tx *redis.Tx, b Board, touched []Touched) ([][]Total, error) {
	old := make([][]Total, len(touched))
	p := tx.Pipeline()
	var replies []*redis.SliceCmd
	for _, t := range touched {
		for part := range slices.Chunk(t.Members, perCommand) {
			args := make([]any, 2, 2+len(part))
			args[0], args[1] = "hmget", b.totalsKey(t.Instance)
			for _, m := range part {
				args = append(args, m)
			}
			reply := redis.NewSliceCmd(ctx, args...)
			replies = append(replies, reply)
			_ = p.Process(ctx, reply) // only queues
		}
	}
	if len(replies) == 0 {
		return old, nil
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, err
	}
	for i, t := range touched {
		for len(old[i]) < len(t.Members) {
			for _, v := range replies[0].Val() {
				total, err := decodeTotal(v)
				if err != nil {
					return nil, err
				}
				old[i] = append(old[i], total)
			}
			replies = replies[1:]
		}
	}
	return old, nil
}

// write queues the new totals of one window's members; old may be nil for none.
func write(ctx context.Context, p redis.Pipeliner, b Board, t Touched, old, totals []Total) {
	totalsKey, orderKey := b.totalsKey(t.Instance), b.orderKey(t.Instance)
	p.SAdd(ctx, b.windowsKey(), b.name(t.Instance))
	for from := 0; from < len(t.Members); from += perCommand {
		to := min(from+perCommand, len(t.Members))
		hset, zrem, zadd := []any{"hset", totalsKey}, []any{"zrem", orderKey}, []any{"zadd", orderKey}
		for i := from; i < to; i++ {
			member, now := t.Members[i], totals[i]
			hset = append(hset, member, now.encode())
			var before []byte
			if old != nil {
				before = old[i].Key
			}
			if string(before) == string(now.Key) {
				continue
			}
			if len(before) > 0 {
				zrem = append(zrem, Element(before, member))
			}
			if len(now.Key) > 0 {
				zadd = append(zadd, 0, Element(now.Key, member))
			}
		}
		for _, args := range [][]any{hset, zrem, zadd} {
			if len(args) > 2 {
				_ = p.Process(ctx, redis.NewIntCmd(ctx, args...)) // only queues
			}
		}
	}
}

// Element is a member's place in the order.
func Element(key, member []byte) []byte {
	return append(append(make([]byte, 0, len(key)+len(member)), key...), member...)
}

// encode writes a total as the length of its key in one byte, the key, and the states.
func (t Total) encode() []byte {
	out := make([]byte, 0, 1+len(t.Key)+len(t.States))
	out = append(out, uint8(len(t.Key)))
	return append(append(out, t.Key...), t.States...)
}

// decodeTotal reads a reply of HMGET; nil is the zero Total.
func decodeTotal(reply any) (Total, error) {
	text, ok := reply.(string)
	if !ok {
		return Total{}, nil
	}
	if text == "" || len(text) < 1+int(text[0]) {
		return Total{}, fmt.Errorf("%w: a total of %d bytes has no key", ErrUnreadable, len(text))
	}
	end := 1 + int(text[0])
	return Total{Key: []byte(text[1:end]), States: []byte(text[end:])}, nil
}

// Drop removes all keys of a leaderboard's partition. Its writer must have ended.
func (s *Store) Drop(ctx context.Context, b Board) error {
	names, err := s.client.SMembers(ctx, b.windowsKey()).Result()
	if err != nil {
		return fmt.Errorf("drop leaderboard %s/%d: %w", b.ID, b.Partition, err)
	}
	keys := []string{b.posKey(), b.windowsKey()}
	for _, name := range names {
		keys = append(keys, b.prefix()+"t:"+name, b.prefix()+"z:"+name)
	}
	if err := s.client.Unlink(ctx, keys...).Err(); err != nil {
		return fmt.Errorf("drop leaderboard %s/%d: %w", b.ID, b.Partition, err)
	}
	return nil
}
