package leaderboard

import (
	"bytes"
	"context"
	"fmt"
	"sort"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/speed/redisboard"
)

// fromView answers from the merged view, for a window that Redis has dropped.
func (r *Reader) fromView(ctx context.Context, s Scope, in ranking.Instance, attempt func(*steps) error) (Provenance, error) {
	q := merge.Query{View: s.Board, From: in.Start, To: in.End(s.Board.Board), Wait: s.Wait}
	if s.Board.Plan.Window.Unit != plan.NoUnit {
		q.Bucketing = merge.ByWindow
	}
	result, err := r.Views.Totals(ctx, q)
	if err != nil {
		return Provenance{}, err
	}
	ranked, err := rank(s.Board.Board, result.Batch)
	if err != nil {
		return Provenance{}, err
	}
	p := Provenance{
		Leaderboard: s.Board.Plan.Name, Partitions: result.Provenance.Partitions, LagMillis: result.Provenance.LagMillis,
		Complete: result.Provenance.Complete, Rejected: result.Provenance.Rejected,
	}
	return p, attempt(&steps{ctx: ctx, store: ranked, boards: make([]redisboard.Board, 1), board: s.Board.Board, instance: in})
}

// ranked is one window in memory: a Store of one partition.
type ranked struct {
	elements [][]byte          // in order
	keys     map[string][]byte // by member
}

// rank ranks the totals of a window.
func rank(b *plan.Board, final *event.Batch) (*ranked, error) {
	keys, err := ranking.New(b).Keys(final.Columns, final.Rows)
	if err != nil {
		return nil, fmt.Errorf("rank %s: %w", b.View.Name, err)
	}
	r := &ranked{keys: make(map[string][]byte, final.Rows)}
	for i := range final.Rows {
		m, ok := ranking.AppendMember(nil, &final.Columns[1], i)
		if !ok {
			continue
		}
		r.keys[string(m)] = keys[i]
		if len(keys[i]) > 0 {
			r.elements = append(r.elements, redisboard.Element(keys[i], m))
		}
	}
	sort.Slice(r.elements, func(i, j int) bool { return bytes.Compare(r.elements[i], r.elements[j]) < 0 })
	return r, nil
}

// Read implements Store.
func (r *ranked) Read(_ context.Context, _ []redisboard.Board, ask func(i int) []redisboard.Question) ([]redisboard.Reading, error) {
	reading := redisboard.Reading{Checkpoint: redisboard.Checkpoint{Floor: redisboard.NoFloor}, Ready: true}
	for _, q := range ask(0) {
		reading.Answers = append(reading.Answers, r.answer(q))
	}
	return []redisboard.Reading{reading}, nil
}

func (r *ranked) answer(q redisboard.Question) redisboard.Answer {
	place := sort.Search(len(r.elements), func(i int) bool { return bytes.Compare(r.elements[i], q.Bound) >= 0 })
	switch q.What {
	case redisboard.Ranked:
		return redisboard.Answer{Count: int64(len(r.elements))}
	case redisboard.Better:
		return redisboard.Answer{Count: int64(place)}
	case redisboard.From:
		return redisboard.Answer{Elements: append([][]byte(nil), r.elements[place:min(len(r.elements), place+q.N)]...)}
	case redisboard.Before:
		return redisboard.Answer{Elements: append([][]byte(nil), r.elements[max(0, place-q.N):place]...)}
	}
	var a redisboard.Answer
	for _, m := range q.Members {
		a.Elements = append(a.Elements, r.keys[string(m)])
	}
	return a
}
