// Package leaderboard answers questions about the ranks of members: the best, a member's
// rank, its neighbours, some members among themselves.
//
// The one invariant: an answer is exact at the positions in its provenance, and equal to
// ranking the merged view at these positions.
//
// A member lives in one partition, so that a rank is the sum over the partitions of the
// members that are better. Windows that are not kept in Redis any more are ranked from the
// merged view: the same answer, only slower.
package leaderboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/speed/redisboard"
)

// Limits of one question.
const (
	MaxRows    = 1000   // of top and around: what a page shows, with room
	MaxOffset  = 10_000 // rows before a page; further on, a cursor costs nothing
	MaxMembers = 1000   // of members: friends of one person
)

// maxMoves bounds how often an answer starts again because a partition moved on between two
// of its steps, which takes a flush of ten a second within a millisecond.
const maxMoves = 100

// Store keeps the leaderboards ranked.
type Store interface {
	Read(ctx context.Context, boards []redisboard.Board, ask func(i int) []redisboard.Question) ([]redisboard.Reading, error)
}

// Views answers queries on views.
type Views interface {
	Totals(ctx context.Context, q merge.Query) (*merge.Result, error)
}

// Options are the parts that a Reader reads.
type Options struct {
	Store  Store
	Views  Views
	Log    merge.Log
	Logger *slog.Logger
	Now    func() time.Time // default time.Now
}

// Reader answers questions. It is safe for concurrent use.
type Reader struct {
	Options
	progress *merge.Progress
}

// New returns a Reader.
func New(o Options) *Reader {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Reader{Options: o, progress: merge.NewProgress()}
}

// Scope is what a question is about.
type Scope struct {
	Board  *catalog.View // with a Board
	Window string        // name; empty: all time where the leaderboard has it, else its first window
	At     *time.Time    // any time in the window; nil: now
	// Wait is how long to wait until every event that was acknowledged before the
	// question is in the answer.
	Wait time.Duration
}

// Window is the window of an answer.
type Window struct {
	Name  string     `json:"name"`
	Start *time.Time `json:"start,omitempty"` // left out for all time
	End   *time.Time `json:"end,omitempty"`   // exclusive
}

// Row is one member of an answer.
type Row struct {
	// Rank counts from 1; null for a member that is not there, or has no score.
	Rank   *int64          `json:"rank"`
	Member json.RawMessage `json:"member"` // of the member column's type
	Score  json.RawMessage `json:"score"`  // a number, exact for integers; null where there is none
	// Among is the rank among the members that were asked for.
	Among *int64 `json:"among,omitempty"`
}

// Provenance says what an answer is made of.
type Provenance struct {
	Leaderboard string            `json:"leaderboard"`
	Partitions  []merge.Partition `json:"partitions"`
	LagMillis   int64             `json:"lag_ms"`   // the largest of the partitions
	Complete    bool              `json:"complete"` // every event acknowledged before the question is in it
	Rejected    int64             `json:"rejected"` // rows of the stream in dead letters
}

// Answer is an answer of rows.
type Answer struct {
	Leaderboard string `json:"leaderboard"`
	Window      Window `json:"window"`
	Members     int64  `json:"members"` // ranked in the window
	Rows        []Row  `json:"rows"`
	// Next is the cursor of the page after this one; left out on the last page.
	Next       string     `json:"next,omitempty"`
	Provenance Provenance `json:"provenance"`
}

// Standing is an answer about one member.
type Standing struct {
	Leaderboard string `json:"leaderboard"`
	Window      Window `json:"window"`
	Row
	Members int64 `json:"members"` // ranked in the window
	// Percentile is the share of the ranked members, in percent, that are ranked no better
	// than this one, itself among them: 100 for the best. Null where it has no rank.
	Percentile *float64   `json:"percentile"`
	Provenance Provenance `json:"provenance"`
}

// instance finds the window that a question is about.
func (r *Reader) instance(s Scope) (ranking.Instance, Window, error) {
	b := s.Board.Board
	name := s.Window
	if name == "" {
		name = b.Windows[0].Name
		if _, ok := b.Find(plan.WholeTime); ok {
			name = plan.WholeTime
		}
	}
	for i, w := range b.Windows {
		if w.Name != name {
			continue
		}
		if w.Window.Unit == plan.NoUnit {
			if s.At != nil {
				return ranking.Instance{}, Window{}, r.badWindow(s, "at: the window of all time is one, whatever the time")
			}
			return ranking.Instance{Window: i}, Window{Name: name}, nil
		}
		now := r.Now()
		at := now
		if s.At != nil {
			at = *s.At
		}
		in := ranking.Instance{Window: i, Start: w.Window.Start(at.Unix())}
		start, end := time.Unix(in.Start, 0).UTC(), time.Unix(in.End(b), 0).UTC()
		switch {
		case start.After(now):
			return in, Window{}, r.badWindow(s, fmt.Sprintf("at: the %s of %s lies in the future", name, at.UTC().Format(time.RFC3339)))
		case at.Unix() < merge.MinTime || at.Unix() >= merge.MaxTime:
			return in, Window{}, r.badWindow(s, "at: times are from 1900 to 2299")
		}
		return in, Window{Name: name, Start: &start, End: &end}, nil
	}
	return ranking.Instance{}, Window{}, r.badWindow(s, fmt.Sprintf("window: leaderboard %s has no window %q", b.View.Name, name))
}

func (r *Reader) badWindow(s Scope, detail string) error {
	return problem.New(http.StatusBadRequest, "bad-window", detail, fmt.Sprintf("its windows are %s; at is any time inside one", strings.Join(s.Board.Board.WindowNames(), ", ")))
}

// Errors inside of an attempt to answer.
var (
	errMoved    = errors.New("a partition moved on between two steps")
	errNotReady = errors.New("the leaderboard is being built")
	errOld      = errors.New("the window is not kept any more")
)

// answer has attempt answer from Redis, again until the answer is at one position and as
// complete as the question asks for, or from the merged view where the window is too old.
func (r *Reader) answer(ctx context.Context, s Scope, in ranking.Instance, attempt func(*steps) error) (Provenance, error) {
	heads, err := merge.Heads(ctx, r.Log, s.Board)
	if err != nil {
		return Provenance{}, err
	}
	boards := boardsOf(s.Board)
	start := r.Now()
	moves := 0
	for {
		st := &steps{ctx: ctx, store: r.Store, boards: boards, instance: in, board: s.Board.Board}
		err := attempt(st)
		waited := r.Now().Sub(start)
		var refused *problem.Problem
		switch {
		case ctx.Err() != nil:
			return Provenance{}, ctx.Err()
		case errors.Is(err, errOld):
			return r.fromView(ctx, s, in, attempt)
		case errors.Is(err, errMoved) && moves < maxMoves:
			moves++
			continue // at once: it has just moved
		case errors.As(err, &refused) || err == nil:
			patience := s.Wait
			positions := st.positions()
			if r.progress.Behind(s.Board.ID, positions) {
				patience = max(patience, merge.RebuildWait)
			}
			if reaches(positions, heads) || waited >= patience {
				r.progress.Note(s.Board.ID, positions)
				return r.provenance(s.Board, st, heads), err
			}
		case waited >= max(s.Wait, merge.RebuildWait):
			if errors.Is(err, errNotReady) {
				return Provenance{}, problem.Busy(fmt.Sprintf("leaderboard %s is being built", s.Board.Plan.Name), time.Second)
			}
			r.Logger.Warn("read leaderboard", "leaderboard", s.Board.Plan.Name, "error", err)
			return Provenance{}, problem.Busy("the speed layer does not answer at the moment", time.Second)
		}
		select {
		case <-ctx.Done():
			return Provenance{}, ctx.Err()
		case <-time.After(merge.PollInterval):
		}
	}
}

func boardsOf(v *catalog.View) []redisboard.Board {
	boards := make([]redisboard.Board, v.Plan.Stream.Partitions)
	for p := range boards {
		boards[p] = redisboard.Board{ID: v.ID, Plan: v.Board, Partition: p}
	}
	return boards
}

// reaches reports whether positions cover the heads.
func reaches(positions, heads []uint64) bool {
	for p, head := range heads {
		if positions[p] < head {
			return false
		}
	}
	return true
}

func (r *Reader) provenance(v *catalog.View, st *steps, heads []uint64) Provenance {
	p := Provenance{Leaderboard: v.Plan.Name, Complete: reaches(st.positions(), heads), Rejected: r.Log.Rejected(v.StreamID)}
	now := r.Now()
	for i, head := range heads {
		c := st.at[i]
		part := merge.PartitionAt(i, c.Seq, head, c.Arrival, now)
		p.LagMillis = max(p.LagMillis, part.LagMillis)
		p.Partitions = append(p.Partitions, part)
	}
	return p
}
