package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/sql"
)

const (
	// defaultKeep is how long the past windows of a leaderboard stay in Redis: a quarter.
	defaultKeep = 90 * day
	// maxKeptWindows limits the past windows of one kind, each of which is two keys of
	// Redis in every partition.
	maxKeptWindows = 150_000
	// minBoardWindow is the shortest window of a leaderboard, in seconds: shorter ones have
	// more keys than members.
	minBoardWindow = 60
)

// boardOptions lists the options of CREATE LEADERBOARD.
var boardOptions = []string{"order", "windows", "tie", "keep", "batch"}

// boardForm is what a leaderboard looks like, for hints.
const boardForm = "as in SELECT user_id, sum(points) AS score FROM games GROUP BY user_id"

// boardBuilder turns one CREATE LEADERBOARD into a Board and its View.
type boardBuilder struct {
	viewBuilder
	board *Board
}

// BuildBoard checks a CREATE LEADERBOARD against its stream. Errors are *sql.Error.
func BuildBoard(c *sql.CreateLeaderboard, stream *Stream) (*Board, error) {
	if err := CheckName(c.Name, c.NamePos); err != nil {
		return nil, err
	}
	given, err := newOptions(c.Options, boardOptions)
	if err != nil {
		return nil, err
	}
	b := boardBuilder{viewBuilder: newViewBuilder(&c.CreateView, stream)}
	b.kind = "leaderboard"
	b.board = &Board{View: b.view, Tie: -1}
	b.hidden = b.buildTie
	steps := []func() error{
		func() error { return b.buildOrder(given) },
		b.checkShape, b.checkItems, b.expandItems, b.buildFilter, b.buildGroups, b.checkMember, b.buildOutputs, b.checkScore,
		func() error { return b.buildWindows(given) },
		func() error { return b.buildBatch(given) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.board, nil
}

func (b *boardBuilder) checkItems() error {
	if n := len(b.query.Items); n != 2 {
		return refuse(b.query.Pos, boardForm, "a leaderboard selects two things, its member and its score, and not %d", n)
	}
	return nil
}

// checkMember sees to it that all events of a member are in one partition, so that a
// partition alone can tell the member's score.
func (b *boardBuilder) checkMember() error {
	pos := b.query.Items[0].Expr.Position()
	if len(b.view.Keys) != 1 {
		for _, g := range b.query.GroupBy[min(1, len(b.query.GroupBy)):] {
			if e, err := b.groupExpr(g); err == nil {
				if c, ok := e.(*sql.Call); !ok || !isWindow(c) {
					pos = g.Position()
				}
			}
		}
		return refuse(pos, boardForm, "a leaderboard is grouped by its member and nothing else but a window, and this one by %d keys", len(b.view.Keys))
	}
	member := b.items[0]
	if _, grouped := b.keys[member.String()]; !grouped {
		return refuse(pos, fmt.Sprintf("select %s first, then the score", sql.QuoteName(b.view.Keys[0].Name)), "the member, %s, is not what the leaderboard is grouped by", member)
	}
	if t := b.view.Keys[0].Type; t.Kind == event.Float64 {
		return refuse(pos, "group by a text, a whole number or a date", "a member cannot be a %s", t)
	}
	return b.checkPartition(member, pos)
}

// checkPartition refuses a member that is not the stream's partition key.
func (b *boardBuilder) checkPartition(member sql.Expr, pos sql.Pos) error {
	if b.stream.Partitions == 1 {
		return nil
	}
	column, isColumn := member.(*sql.Ident)
	var names []string
	for _, c := range b.stream.PartitionBy {
		names = append(names, b.stream.Schema.Columns[c].Name)
	}
	if isColumn && len(names) == 1 && names[0] == column.Name {
		return nil
	}
	var hint string
	switch {
	case isColumn:
		hint = fmt.Sprintf("declare a stream WITH (partition_by = %s) and send the events there, or one with partitions = 1", sql.QuoteString(column.Name))
	default:
		hint = "declare a stream that has it as a column and partition_by of that column, or one with partitions = 1"
	}
	if len(names) == 1 {
		hint = fmt.Sprintf("group by %s, or %s", sql.QuoteName(names[0]), hint)
	}
	by := "nothing: its events are spread"
	if len(names) > 0 {
		by = strings.Join(names, ", ")
	}
	return refuse(pos, hint, "the member, %s, is not the partition key of %s, which is partitioned by %s", member, sql.QuoteName(b.stream.Name), by)
}

// checkScore takes the outputs, and refuses a score that cannot be ranked.
func (b *boardBuilder) checkScore() error {
	n := len(b.view.Outputs)
	b.board.Member, b.board.Score = b.view.Outputs[n-2], b.view.Outputs[n-1]
	pos := b.query.Items[1].Expr.Position()
	if !b.board.Score.Agg {
		return refuse(pos, boardForm, "the score, %s, is no function of aggregates", b.query.Items[1].Expr)
	}
	switch t := b.board.Score.Type; t.Kind {
	case event.Int64, event.UInt64, event.Float64:
		return nil
	default:
		return refuse(pos, "convert it, for example with toInt64", "a score must be a number, and %s is a %s", b.query.Items[1].Expr, t)
	}
}

func (b *boardBuilder) buildOrder(given options) error {
	order, err := given.choice("order", "desc", "asc", "desc")
	if err != nil {
		return err
	}
	tie, err := given.choice("tie", "shared", "first", "shared")
	b.board.Desc, b.board.First = order == "desc", tie == "first"
	return err
}

// buildTie adds the hidden aggregate that tells when a member reached its score.
func (b *boardBuilder) buildTie() error {
	if !b.board.First {
		return nil
	}
	name, err := b.tieAggregate()
	if err != nil {
		return err
	}
	b.board.Tie = slices.IndexFunc(b.view.Aggregates, func(a Aggregate) bool { return a.Name == name })
	return nil
}

func (b *boardBuilder) tieAggregate() (string, error) {
	if c, ok := b.items[1].(*sql.Call); ok && isAggregate(c) {
		a, err := b.bindAggregate(c)
		if err != nil {
			return "", err
		}
		if reached, ok := firstReached(a, b.stream); ok {
			b.board.Reached = true
			return b.addState(reached), nil
		}
	}
	time := &sql.Ident{Pos: b.query.Pos, Name: b.stream.Schema.Columns[b.stream.EventTime].Name}
	a, err := b.bindAggregate(&sql.Call{Pos: b.query.Pos, Name: "max", Args: []sql.Expr{time}})
	if err != nil {
		return "", err
	}
	return b.addState(a), nil
}

// buildWindows reads which windows there are, and how long past ones are kept.
func (b *boardBuilder) buildWindows(given options) error {
	o, asked := given["windows"]
	if tumble := b.view.Window; tumble.Unit != NoUnit {
		if asked {
			return refuse(o.Pos, "leave one of them out", "the windows are given twice: by option windows, and by GROUP BY")
		}
		if b.view.Pane < minBoardWindow {
			return refuse(b.windowPos, "as in INTERVAL 1 MINUTE", "a window of a leaderboard is at least a minute")
		}
		b.board.Windows = []BoardWindow{tumbled(tumble)}
	} else {
		list, err := given.text("windows", WholeTime)
		if err != nil {
			return err
		}
		for name := range strings.SplitSeq(list, ",") {
			if err := b.addWindow(strings.TrimSpace(name), o.Value.Pos); err != nil {
				return err
			}
		}
	}
	return b.buildKeep(given)
}

// tumbled names the window of GROUP BY.
func tumbled(w Window) BoardWindow {
	for _, c := range boardWindows {
		if c.Window == w {
			return c
		}
	}
	names := [...]string{Second: "second", Minute: "minute", Hour: "hour", Day: "day", Week: "week", Month: "month", Quarter: "quarter", Year: "year"}
	if w.N == 1 {
		return BoardWindow{names[w.Unit], w}
	}
	return BoardWindow{fmt.Sprintf("%d%s", w.N, names[w.Unit]), w}
}

func (b *boardBuilder) addWindow(name string, pos sql.Pos) error {
	i := slices.IndexFunc(boardWindows, func(w BoardWindow) bool { return w.Name == name })
	if i < 0 {
		var known []string
		for _, w := range boardWindows {
			known = append(known, w.Name)
		}
		return refuse(pos, "windows are "+strings.Join(known, ", ")+"; others are given by tumble in GROUP BY", "unknown window %q", name)
	}
	if _, twice := b.board.Find(name); twice {
		return refuse(pos, "", "option windows names %s twice", name)
	}
	b.board.Windows = append(b.board.Windows, boardWindows[i])
	if boardWindows[i].Window.Unit == Hour {
		b.view.Pane = boardWindows[i].Window.pane()
	}
	return nil
}

func (b *boardBuilder) buildKeep(given options) (err error) {
	if b.board.Keep, err = given.duration("keep", defaultKeep); err != nil {
		return err
	}
	o, asked := given["keep"]
	past := false
	for _, w := range b.board.Windows {
		past = past || w.Window.Unit != NoUnit
		if w.Window.Unit == NoUnit {
			continue
		}
		if length := time.Duration(w.Window.Next(0)-w.Window.Start(0)) * time.Second; int64(b.board.Keep/length) > maxKeptWindows {
			pos := o.Value.Pos
			if !asked {
				pos = b.windowPos
			}
			return refuse(pos, fmt.Sprintf("keep them at most %s, as by WITH (keep = '…')", time.Duration(maxKeptWindows)*length),
				"%s of windows of %s are more than the %d that a leaderboard keeps at hand", b.board.Keep, length, maxKeptWindows)
		}
	}
	if asked && !past {
		return refuse(o.Pos, "add windows, as in windows = 'all, day'", "option keep has no meaning where the only window is all time")
	}
	return nil
}
