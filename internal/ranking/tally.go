package ranking

import (
	"fmt"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
)

// Instance is one window of a leaderboard.
type Instance struct {
	Window int   // place in plan.Board.Windows
	Start  int64 // seconds since 1970; 0 for all time
}

// End returns where an instance ends, in seconds since 1970.
func (i Instance) End(b *plan.Board) int64 { return b.Windows[i.Window].Window.Next(i.Start) }

// Over reports whether an instance lies wholly before a time, in seconds since 1970.
func (i Instance) Over(b *plan.Board, floor int64) bool {
	return b.Windows[i.Window].Window.Unit != plan.NoUnit && i.End(b) <= floor
}

// Tally adds up groups by (pane, member) to totals by (instance, member). It keeps its
// memory and is used by one goroutine.
type Tally struct {
	board  *plan.Board
	ranker *Ranker
	table  *agg.Table // keys: place of the window, its start, the member

	members [][]byte   // of the totals, as AppendMember writes them
	of      []Instance // of the totals
	starts  map[Instance]int64

	// Scratch.
	rows    []uint32
	groups  []uint32
	window  event.Vector
	start   event.Vector
	member  event.Vector
	partial []byte
}

// NewTally returns an empty tally.
func NewTally(b *plan.Board) *Tally {
	integer := event.Type{Kind: event.Int64}
	functions := make([]*agg.Function, len(b.View.Aggregates))
	for i, a := range b.View.Aggregates {
		functions[i] = a.Func
	}
	member := b.View.Keys[0].Type
	return &Tally{
		board: b, ranker: New(b), starts: make(map[Instance]int64),
		table:  agg.NewTable([]event.Type{integer, integer, member}, functions),
		window: event.Vector{Type: integer}, start: event.Vector{Type: integer}, member: event.Vector{Type: member},
	}
}

// Reset empties the tally.
func (t *Tally) Reset() {
	t.table.Reset()
	t.members, t.of = t.members[:0], t.of[:0]
}

// Len returns the number of totals.
func (t *Tally) Len() int { return t.table.Len() }

// Groups are the groups of a view by (pane, member), as rows.
type Groups struct {
	Panes   []int64
	Members *event.Vector
	// Merge merges the states of a row into a group of the table.
	Merge func(table *agg.Table, group uint32, row int) error
}

// TableGroups are the groups of a table that the view's NewTable made.
func (t *Tally) TableGroups(source *agg.Table) Groups {
	keys := source.KeyColumns()
	return Groups{Panes: keys[0].I64, Members: &keys[1], Merge: func(table *agg.Table, group uint32, row int) error {
		t.partial = source.AppendPartial(t.partial[:0], uint32(row))
		return table.MergePartial(group, t.partial)
	}}
}

// BatchGroups are the rows of the batch layer: pane, member, and a text for each state.
func BatchGroups(b *event.Batch) Groups {
	return Groups{Panes: b.Columns[0].I64, Members: &b.Columns[1], Merge: func(table *agg.Table, group uint32, row int) error {
		for i, s := range table.States {
			rest, err := s.Merge(group, b.Columns[2+i].Str.At(row))
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("%d bytes behind the state", len(rest))
			}
			if err != nil {
				return fmt.Errorf("merge batch state: %w", err)
			}
		}
		return nil
	}}
}

// Add adds groups to all windows that they are in and that are not over before floor.
// rows picks some of them; nil: all.
func (t *Tally) Add(g Groups, rows []uint32, floor int64) error {
	for w := range t.board.Windows {
		t.rows = t.rows[:0]
		t.window.Reset()
		t.start.Reset()
		t.member.Reset()
		add := func(row uint32) {
			in := t.instance(w, g.Panes[row])
			if g.Members.Null(int(row)) || in.Over(t.board, floor) {
				return
			}
			t.rows = append(t.rows, row)
			t.window.AppendInt64(int64(w))
			t.start.AppendInt64(in.Start)
		}
		if rows == nil {
			for row := range g.Panes {
				add(uint32(row))
			}
		} else {
			for _, row := range rows {
				add(row)
			}
		}
		t.member.AppendRows(g.Members, t.rows)
		t.groups = t.table.Groups([]*event.Vector{&t.window, &t.start, &t.member}, len(t.rows), t.groups)
		for i, group := range t.groups {
			if err := g.Merge(t.table, group, int(t.rows[i])); err != nil {
				return fmt.Errorf("add to leaderboard %s: %w", t.board.View.Name, err)
			}
		}
	}
	return nil
}

// maxStarts bounds the panes whose windows are remembered: some months of hours.
const maxStarts = 1 << 14

// instance returns the instance that a pane is in. Panes repeat, and the calendar is slow.
func (t *Tally) instance(window int, pane int64) Instance {
	key := Instance{window, pane}
	start, ok := t.starts[key]
	if !ok {
		if len(t.starts) >= maxStarts {
			clear(t.starts)
		}
		start = t.board.Windows[window].Window.Start(pane)
		t.starts[key] = start
	}
	return Instance{window, start}
}

// Totals calls yield with the instance and member of each total, in the order of Merge and
// Keys. The slices are valid until Reset.
func (t *Tally) Totals() (instances []Instance, members [][]byte) {
	keys := t.table.KeyColumns()
	t.members, t.of = t.members[:0], t.of[:0]
	for i := range t.table.Len() {
		member, _ := AppendMember(nil, &keys[2], i) // NULL was left out
		t.members = append(t.members, member)
		t.of = append(t.of, Instance{int(keys[0].I64[i]), keys[1].I64[i]})
	}
	return t.of, t.members
}

// Merge merges the states of an earlier total into total i.
func (t *Tally) Merge(i int, states []byte) error { return t.table.MergePartial(uint32(i), states) }

// AppendStates appends the states of total i.
func (t *Tally) AppendStates(dst []byte, i int) []byte { return t.table.AppendPartial(dst, uint32(i)) }

// Keys returns the key of each total; see Ranker.Keys.
func (t *Tally) Keys() ([][]byte, error) {
	keys := t.table.KeyColumns()
	start := keys[1]
	start.Type = event.Type{Kind: event.DateTime64}
	final := []event.Vector{start, keys[2]}
	for i := range t.board.View.Aggregates {
		final = append(final, t.table.Final(i))
	}
	return t.ranker.Keys(final, t.table.Len())
}
