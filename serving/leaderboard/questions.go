package leaderboard

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/internal/ranking"
	"github.com/millrace/millrace/serving/format"
	"github.com/millrace/millrace/speed/redisboard"
)

// Top answers with n members from the offset on, or from behind the member of a cursor,
// which an earlier answer gave.
func (r *Reader) Top(ctx context.Context, s Scope, n, offset int, cursor string) (*Answer, error) {
	in, window, err := r.instance(s)
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || cursor != "" && len(after) < ranking.KeySize(s.Board.Board) {
		return nil, problem.New(http.StatusBadRequest, "bad-cursor", fmt.Sprintf("after: %q is no cursor of this leaderboard", cursor), "take next of an earlier answer")
	}
	out := &Answer{Leaderboard: s.Board.Plan.Name, Window: window}
	out.Provenance, err = r.answer(ctx, s, in, func(st *steps) error {
		var bound []byte
		if len(after) > 0 {
			bound = successor(after)
		}
		a, err := st.ask(
			redisboard.Question{What: redisboard.Ranked},
			redisboard.Question{What: redisboard.Better, Bound: bound},
			redisboard.Question{What: redisboard.From, Bound: bound, N: offset + n + 1},
		)
		if err != nil {
			return err
		}
		out.Members = a[0].Count
		page := a[2].Elements[min(offset, len(a[2].Elements)):]
		out.Next = ""
		if len(page) > n {
			page = page[:n]
			out.Next = base64.RawURLEncoding.EncodeToString(page[n-1])
		}
		out.Rows, err = st.rows(page, a[1].Count+int64(offset))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Size is how many members a window ranks.
type Size struct {
	Window
	Members    int64      `json:"members"`
	Provenance Provenance `json:"provenance"`
}

// Size answers with the number of members that are ranked.
func (r *Reader) Size(ctx context.Context, s Scope) (*Size, error) {
	in, window, err := r.instance(s)
	if err != nil {
		return nil, err
	}
	out := &Size{Window: window}
	out.Provenance, err = r.answer(ctx, s, in, func(st *steps) error {
		a, err := st.ask(redisboard.Question{What: redisboard.Ranked})
		if err == nil {
			out.Members = a[0].Count
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// member is one that a question names.
type member struct {
	name *event.Vector
	key  []byte // as ranking.AppendMember writes it
}

func parseMember(b *plan.Board, text string) (member, error) {
	v, err := ranking.ParseMember(b, text)
	if err != nil {
		return member{}, problem.New(http.StatusBadRequest, "bad-member", "member: "+err.Error(), fmt.Sprintf("members are of type %s", b.Member.Type))
	}
	key, _ := ranking.AppendMember(nil, v, 0) // parsed from a text, it is not NULL
	return member{name: v, key: key}, nil
}

// about finds what a question about one member is about.
func (r *Reader) about(s Scope, name string) (ranking.Instance, Window, member, error) {
	in, window, err := r.instance(s)
	if err != nil {
		return in, window, member{}, err
	}
	m, err := parseMember(s.Board.Board, name)
	return in, window, m, err
}

func (m member) json() []byte { return format.AppendJSON(nil, m.name, 0) }

// unknownMember says that a member is not in the window.
func unknownMember(s Scope, w Window, text string) error {
	where := "in leaderboard " + s.Board.Plan.Name
	if w.Start != nil {
		where += fmt.Sprintf(" in the %s of %s", w.Name, w.Start.Format("2006-01-02 15:04"))
	}
	return problem.New(http.StatusNotFound, "unknown-member", fmt.Sprintf("there is no member %q %s", text, where), "")
}

// place finds a member's element. Where it is not ranked that is nil, and the number of those
// that are is asked for besides; there is a problem where it is not known.
func (st *steps) place(m member, unknown error) (element []byte, members int64, err error) {
	key, err := st.key(m)
	if err != nil {
		return nil, 0, err
	}
	if len(key) > 0 {
		return redisboard.Element(key, m.key), 0, nil
	}
	a, err := st.ask(redisboard.Question{What: redisboard.Ranked})
	if err != nil {
		return nil, 0, err
	}
	if key == nil {
		return nil, 0, unknown
	}
	return nil, a[0].Count, nil
}

// Rank answers with a member's rank and score.
func (r *Reader) Rank(ctx context.Context, s Scope, name string) (*Standing, error) {
	in, window, m, err := r.about(s, name)
	if err != nil {
		return nil, err
	}
	out := &Standing{Leaderboard: s.Board.Plan.Name, Window: window}
	out.Provenance, err = r.answer(ctx, s, in, func(st *steps) error {
		element, members, err := st.place(m, unknownMember(s, window, name))
		if err != nil {
			return err
		}
		if element == nil {
			out.Members, out.Row, out.Percentile = members, unranked(m), nil
			return nil
		}
		a, err := st.ask(
			redisboard.Question{What: redisboard.Ranked},
			redisboard.Question{What: redisboard.Better, Bound: st.bound(element)},
		)
		if err != nil {
			return err
		}
		out.Members = a[0].Count
		better := a[1].Count
		percentile := 100 * float64(out.Members-better) / float64(out.Members)
		out.Percentile = &percentile
		out.Row, err = st.row(element, better+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// tieSlack is how many places before the first neighbour are read besides: its rank is known
// from them where fewer share its score, and need not be asked for.
const tieSlack = 16

// Around answers with a member and up to n members on each side of it.
func (r *Reader) Around(ctx context.Context, s Scope, name string, n int) (*Answer, error) {
	in, window, m, err := r.about(s, name)
	if err != nil {
		return nil, err
	}
	out := &Answer{Leaderboard: s.Board.Plan.Name, Window: window}
	out.Provenance, err = r.answer(ctx, s, in, func(st *steps) error {
		element, members, err := st.place(m, unknownMember(s, window, name))
		if err != nil {
			return err
		}
		if element == nil {
			out.Members, out.Rows = members, []Row{unranked(m)}
			return nil
		}
		a, err := st.ask(
			redisboard.Question{What: redisboard.Ranked},
			redisboard.Question{What: redisboard.Better, Bound: element},
			redisboard.Question{What: redisboard.Before, Bound: element, N: n + tieSlack},
			redisboard.Question{What: redisboard.From, Bound: element, N: n + 1},
		)
		if err != nil {
			return err
		}
		out.Members = a[0].Count
		better, before, from := a[1].Count, a[2].Elements, a[3].Elements
		shown := min(n, len(before))
		elements, first := slices.Clone(before[:shown]), better-int64(shown)
		slices.Reverse(elements)
		elements = append(elements, from...)
		if shown > 0 {
			if rank, ok := st.rankOf(before, shown, better); ok {
				out.Rows, err = st.rowsFrom(elements, first, rank)
				return err
			}
		}
		out.Rows, err = st.rows(elements, first)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Members answers with the given members, ranked among themselves: the best first, those
// that have no rank last and in the order of the question.
func (r *Reader) Members(ctx context.Context, s Scope, names []string) (*Answer, error) {
	in, window, err := r.instance(s)
	if err != nil {
		return nil, err
	}
	var members []member
	seen := map[string]bool{}
	for _, name := range names {
		m, err := parseMember(s.Board.Board, name)
		if err != nil {
			return nil, err
		}
		if !seen[string(m.key)] {
			seen[string(m.key)] = true
			members = append(members, m)
		}
	}
	keys := make([][]byte, len(members))
	for i, m := range members {
		keys[i] = m.key
	}
	out := &Answer{Leaderboard: s.Board.Plan.Name, Window: window}
	out.Provenance, err = r.answer(ctx, s, in, func(st *steps) error {
		a, err := st.ask(
			redisboard.Question{What: redisboard.KeysOf, Members: keys},
			redisboard.Question{What: redisboard.Ranked},
		)
		if err != nil {
			return err
		}
		out.Members = a[1].Count
		out.Rows, err = st.among(members, a[0].Elements)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// among ranks members by their keys.
func (st *steps) among(members []member, keys [][]byte) ([]Row, error) {
	var elements [][]byte
	var rest []Row
	for i, m := range members {
		if len(keys[i]) > 0 {
			elements = append(elements, redisboard.Element(keys[i], m.key))
		} else {
			rest = append(rest, unranked(m))
		}
	}
	slices.SortFunc(elements, bytes.Compare)
	questions := make([]redisboard.Question, len(elements))
	for i, e := range elements {
		questions[i] = redisboard.Question{What: redisboard.Better, Bound: st.bound(e)}
	}
	rows := make([]Row, 0, len(members))
	if len(questions) > 0 {
		better, err := st.ask(questions...)
		if err != nil {
			return nil, err
		}
		among := int64(1)
		for i, e := range elements {
			if i > 0 && !bytes.Equal(st.bound(e), st.bound(elements[i-1])) {
				among = int64(i) + 1
			}
			row, err := st.row(e, better[i].Count+1)
			if err != nil {
				return nil, err
			}
			row.Among = new(int64)
			*row.Among = among
			rows = append(rows, row)
		}
	}
	return append(rows, rest...), nil
}

// row makes the row of an element.
func (st *steps) row(element []byte, rank int64) (Row, error) {
	score := event.Vector{Type: st.board.Score.Type.NotNull()}
	if err := ranking.Score(&score, st.board, element); err != nil {
		return Row{}, err
	}
	name := event.Vector{Type: st.board.View.Keys[0].Type.NotNull()}
	if err := ranking.ReadMember(&name, element[ranking.KeySize(st.board):]); err != nil {
		return Row{}, err
	}
	return Row{Rank: &rank, Member: format.AppendJSON(nil, &name, 0), Score: format.AppendJSON(nil, &score, 0)}, nil
}

// unranked is the row of a member without a score.
func unranked(m member) Row { return Row{Member: m.json(), Score: []byte("null")} }
