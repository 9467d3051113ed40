package redisboard

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/internal/ranking"
)

// What is asked of one window.
type What uint8

// The questions. All are O(log n) in the members of the window, and in the length of the
// answer.
const (
	Ranked What = iota // Count: the ranked members
	Better             // Count: the elements less than Bound, an element or a key
	From               // Elements: the first N that are not less than Bound, ascending
	Before             // Elements: the last N that are less than Bound, descending
	KeysOf             // Elements: the keys of Members; nil where there is no such member
)

// Question is one question about one window.
type Question struct {
	What     What
	Instance ranking.Instance
	Bound    []byte // empty: before everything
	N        int    // 1 or more
	Members  [][]byte
}

// Answer is the answer to one question.
type Answer struct {
	Count    int64
	Elements [][]byte
}

// Reading is what one partition answered, and where it stood.
type Reading struct {
	Checkpoint Checkpoint
	Ready      bool // false: there is no state, or it is being built; then no Answers
	Answers    []Answer
}

// Read asks each of the boards, which are the partitions of one leaderboard, some questions;
// each partition answers all of its own at one position. ask may be called again.
func (s *Store) Read(ctx context.Context, boards []Board, ask func(i int) []Question) ([]Reading, error) {
	readings := make([]Reading, len(boards))
	if _, clustered := s.client.(*redis.ClusterClient); !clustered {
		return readings, s.read(ctx, boards, ask, readings)
	}
	// Each partition is in a slot of its own, and a transaction in one slot.
	g, gctx := errgroup.WithContext(ctx)
	for i := range boards {
		g.Go(func() error {
			return s.read(gctx, boards[i:i+1], func(int) []Question { return ask(i) }, readings[i:i+1])
		})
	}
	return readings, g.Wait()
}

// read asks in one transaction.
func (s *Store) read(ctx context.Context, boards []Board, ask func(i int) []Question, readings []Reading) error {
	p := s.client.TxPipeline()
	positions := make([]*redis.StringCmd, len(boards))
	replies := make([][]reply, len(boards))
	for i, b := range boards {
		positions[i] = p.Get(ctx, b.posKey())
		for _, q := range ask(i) {
			replies[i] = append(replies[i], b.queue(ctx, p, q))
		}
	}
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("read leaderboard %s: %w", boards[0].ID, err)
	}
	for i, b := range boards {
		c, ok, err := parsed(positions[i])
		if err != nil {
			return fmt.Errorf("read leaderboard %s/%d: %w", b.ID, b.Partition, err)
		}
		readings[i] = Reading{Checkpoint: c, Ready: ok && !c.Building}
		if !readings[i].Ready {
			continue
		}
		for _, r := range replies[i] {
			a, err := r()
			if err != nil {
				return fmt.Errorf("read leaderboard %s/%d: %w", b.ID, b.Partition, err)
			}
			readings[i].Answers = append(readings[i].Answers, a)
		}
	}
	return nil
}

// reply turns what Redis replied into an answer, once it has.
type reply func() (Answer, error)

// queue queues a question.
func (b Board) queue(ctx context.Context, p redis.Pipeliner, q Question) reply {
	order := b.orderKey(q.Instance)
	from, below := "-", "("+string(q.Bound)
	if len(q.Bound) > 0 {
		from = "[" + string(q.Bound)
	}
	count := func(c *redis.IntCmd) reply {
		return func() (Answer, error) { return Answer{Count: c.Val()}, c.Err() }
	}
	list := func(c *redis.StringSliceCmd) reply {
		return func() (Answer, error) { return Answer{Elements: elements(c.Val())}, c.Err() }
	}
	switch q.What {
	case Ranked:
		return count(p.ZCard(ctx, order))
	case Better:
		return count(p.ZLexCount(ctx, order, "-", below))
	case From:
		return list(p.ZRangeByLex(ctx, order, &redis.ZRangeBy{Min: from, Max: "+", Count: int64(q.N)}))
	case Before:
		return list(p.ZRevRangeByLex(ctx, order, &redis.ZRangeBy{Min: "-", Max: below, Count: int64(q.N)}))
	}
	fields := make([]string, len(q.Members))
	for i, m := range q.Members {
		fields[i] = string(m)
	}
	c := p.HMGet(ctx, b.totalsKey(q.Instance), fields...)
	return func() (Answer, error) {
		var a Answer
		for _, v := range c.Val() {
			total, err := decodeTotal(v)
			if err != nil {
				return a, err
			}
			a.Elements = append(a.Elements, total.Key)
		}
		return a, c.Err()
	}
}

// elements views the strings of a reply as bytes without a copy: nobody else has them, and
// nobody writes to them.
func elements(texts []string) [][]byte {
	out := make([][]byte, len(texts))
	for i, t := range texts {
		out[i] = unsafe.Slice(unsafe.StringData(t), len(t))
	}
	return out
}
