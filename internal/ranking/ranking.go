// Package ranking turns the totals of a leaderboard's members into bytes that compare as
// their ranks do, and reads them back.
//
// The one invariant: of two elements of one leaderboard the lesser is the better ranked,
// by score exactly, then by the time it was reached where ties go to the first, then by
// member; and the bytes follow from the totals alone.
//
// An element is the member's key and then the member. The key is the score in eight
// bytes, complemented where the greatest is the best, and where ties go to the first the
// event time in eight more.
package ranking

import (
	"fmt"
	"math"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/sortkey"
)

// Ranker makes the keys of one leaderboard. It keeps its memory between calls and is used
// by one goroutine.
type Ranker struct {
	board *plan.Board
	score *plan.Evaluator
	keys  [][]byte
	data  []byte
}

// New returns a Ranker.
func New(b *plan.Board) *Ranker { return &Ranker{board: b, score: plan.Compile(b.Score.Expr)} }

// KeySize is how many bytes the keys of a leaderboard have.
func KeySize(b *plan.Board) int {
	if b.First {
		return 2 * sortkey.Size
	}
	return sortkey.Size
}

// Keys returns the key of each of n rows of the view's FinalSchema; empty for a member that
// is not ranked, since its score is NULL or NaN. They are valid until the next call.
func (r *Ranker) Keys(final []event.Vector, n int) ([][]byte, error) {
	scores, err := r.score.Eval(final, n)
	if err != nil {
		return nil, fmt.Errorf("evaluate %s of %s: %w", r.board.Score.Name, r.board.View.Name, err)
	}
	size := KeySize(r.board)
	if cap(r.data) < n*size {
		r.data = make([]byte, 0, n*size) // whole, since keys point into it
	}
	r.data, r.keys = r.data[:0], r.keys[:0]
	for i := range n {
		from := len(r.data)
		r.data = r.appendScore(r.data, scores, i)
		if r.board.First && len(r.data) > from {
			r.data = sortkey.AppendInt64(r.data, r.reached(final, i))
		}
		r.keys = append(r.keys, r.data[from:len(r.data):len(r.data)])
	}
	return r.keys, nil
}

func (r *Ranker) appendScore(dst []byte, v *event.Vector, row int) []byte {
	if v.Null(row) {
		return dst
	}
	from := len(dst)
	switch v.Type.Kind {
	case event.Int64:
		dst = sortkey.AppendInt64(dst, v.I64[row])
	case event.UInt64:
		dst = sortkey.AppendUInt64(dst, v.U64[row])
	case event.Float64:
		if math.IsNaN(v.F64[row]) {
			return dst
		}
		dst = sortkey.AppendFloat64(dst, v.F64[row])
	}
	if r.board.Desc {
		sortkey.Complement(dst[from:])
	}
	return dst
}

// reached is the event time, in ticks, at which a row's member reached its score.
func (r *Ranker) reached(final []event.Vector, row int) int64 {
	v := &final[1+len(r.board.View.Keys)+r.board.Tie]
	if r.board.Reached {
		return r.board.ReachedAt(v.Str.At(row))
	}
	return v.I64[row]
}

// Score appends the score of an element to v, whose type is the score's.
func Score(v *event.Vector, b *plan.Board, element []byte) error {
	if len(element) < KeySize(b) {
		return fmt.Errorf("an element of leaderboard %s has %d bytes, less than a key", b.View.Name, len(element))
	}
	var key [sortkey.Size]byte
	copy(key[:], element)
	if b.Desc {
		sortkey.Complement(key[:])
	}
	switch v.Type.Kind {
	case event.Int64:
		v.AppendInt64(sortkey.Int64(key[:]))
	case event.UInt64:
		v.AppendUInt64(sortkey.UInt64(key[:]))
	default:
		v.AppendFloat64(sortkey.Float64(key[:]))
	}
	return nil
}
