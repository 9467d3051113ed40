package leaderboard

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/speed/redisboard"
)

// steps are the questions of one attempt to answer, which must all be answered at one
// position in each partition.
type steps struct {
	ctx      context.Context
	store    Store
	boards   []redisboard.Board
	board    *plan.Board
	instance ranking.Instance
	at       []*redisboard.Checkpoint // by partition; nil: nothing was asked of it yet
}

// positions are the entries that the answers cover, by partition; zeros where nothing was
// asked.
func (s *steps) positions() []uint64 {
	positions := make([]uint64, len(s.boards))
	for p, c := range s.at {
		if c != nil {
			positions[p] = c.Seq
		}
	}
	return positions
}

// key asks for the key of one member, of its partition alone: nil where it is not known.
func (s *steps) key(m member) ([]byte, error) {
	p := event.PartitionOf(event.AppendPartitionKey(nil, m.name, 0), len(s.boards))
	readings, err := s.read(p, p+1, redisboard.Question{What: redisboard.KeysOf, Members: [][]byte{m.key}})
	if err != nil {
		return nil, err
	}
	return readings[0].Answers[0].Elements[0], nil
}

// ask puts questions to all partitions and adds up their answers: counts are summed,
// elements are put in the order of the question, and of keys those that are there.
func (s *steps) ask(questions ...redisboard.Question) ([]redisboard.Answer, error) {
	readings, err := s.read(0, len(s.boards), questions...)
	if err != nil {
		return nil, err
	}
	answers := make([]redisboard.Answer, len(questions))
	for _, r := range readings {
		for i, a := range r.Answers {
			answers[i].Count += a.Count
			if questions[i].What == redisboard.KeysOf {
				answers[i].Elements = union(answers[i].Elements, a.Elements)
				continue
			}
			answers[i].Elements = append(answers[i].Elements, a.Elements...)
		}
	}
	for i, q := range questions {
		list := answers[i].Elements
		switch q.What {
		case redisboard.From:
			slices.SortFunc(list, bytes.Compare)
		case redisboard.Before:
			slices.SortFunc(list, func(a, b []byte) int { return bytes.Compare(b, a) })
		default:
			continue
		}
		answers[i].Elements = list[:min(len(list), q.N)]
	}
	return answers, nil
}

// read puts questions to the partitions from one up to another, and sees to it that each
// stands where it stood in the step before.
func (s *steps) read(from, to int, questions ...redisboard.Question) ([]redisboard.Reading, error) {
	for i := range questions {
		questions[i].Instance = s.instance
	}
	readings, err := s.store.Read(s.ctx, s.boards[from:to], func(int) []redisboard.Question { return questions })
	if err != nil {
		return nil, err
	}
	if s.at == nil {
		s.at = make([]*redisboard.Checkpoint, len(s.boards))
	}
	for i := range readings {
		r, p := &readings[i], from+i
		switch {
		case !r.Ready:
			s.at = nil
			return nil, errNotReady
		case s.instance.Over(s.board, r.Checkpoint.Floor):
			return nil, errOld
		case s.at[p] == nil:
			s.at[p] = &r.Checkpoint
		case *s.at[p] != r.Checkpoint:
			return nil, errMoved
		}
	}
	return readings, nil
}

// union fills the gaps of a list of keys from another.
func union(keys, more [][]byte) [][]byte {
	if keys == nil {
		return slices.Clone(more)
	}
	for i, k := range more {
		if k != nil {
			keys[i] = k
		}
	}
	return keys
}

// bound is what is less than it exactly where it has a better rank than an element.
func (s *steps) bound(element []byte) []byte {
	if s.board.First {
		return element
	}
	return element[:ranking.KeySize(s.board)]
}

// successor is the least bytes greater than an element.
func successor(element []byte) []byte { return append(slices.Clone(element), 0) }

// rankOf tells the rank of the n-th element of a list in descending order, whose elements
// are the last ones of the best count. It says false where the list ends within a run of
// equal scores, so that the run may go on before it.
func (s *steps) rankOf(list [][]byte, n int, count int64) (rank int64, ok bool) {
	last := s.bound(list[n-1])
	for i := n; i < len(list); i++ {
		if !bytes.Equal(s.bound(list[i]), last) {
			return count - int64(i) + 1, true
		}
	}
	return 1, int64(len(list)) == count // nothing is better than the run
}

// rows makes the rows of elements that follow each other in the order, the first of which
// has the given number of elements before it.
func (s *steps) rows(elements [][]byte, before int64) ([]Row, error) {
	if len(elements) == 0 {
		return []Row{}, nil
	}
	rank := before + 1
	if !s.board.First && before > 0 {
		// Some of those before may share its score.
		a, err := s.ask(redisboard.Question{What: redisboard.Better, Bound: s.bound(elements[0])})
		if err != nil {
			return nil, err
		}
		rank = a[0].Count + 1
	}
	return s.rowsFrom(elements, before, rank)
}

// rowsFrom is rows where the rank of the first element is known.
func (s *steps) rowsFrom(elements [][]byte, before, rank int64) ([]Row, error) {
	rows := make([]Row, len(elements))
	for i, e := range elements {
		if i > 0 && !bytes.Equal(s.bound(e), s.bound(elements[i-1])) {
			rank = before + int64(i) + 1
		}
		row, err := s.row(e, rank)
		if err != nil {
			return nil, fmt.Errorf("read place %d: %w", before+int64(i)+1, err)
		}
		rows[i] = row
	}
	return rows, nil
}
