package leaderboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/catalog"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan/plantest"
	"github.com/millrace/millrace/internal/problem"
	"github.com/millrace/millrace/serving/merge"
	"github.com/millrace/millrace/speed/redisboard"
	"github.com/millrace/millrace/speed/redisview"
)

const partitions = 3

// now is the tests' time: a Thursday.
var now = time.Date(2026, 11, 26, 10, 30, 0, 0, time.UTC)

func define(tb testing.TB, options string) *catalog.View {
	tb.Helper()
	b := plantest.Board(tb, "CREATE STREAM games (ts DateTime64(3), user String, n Nullable(Int64)) WITH (partition_by = 'user', partitions = 3)",
		"CREATE LEADERBOARD best AS SELECT user, max(n) AS score FROM games GROUP BY user WITH ("+options+")")
	return &catalog.View{ID: "best.1", StreamID: "games.1", Plan: b.View, Board: b}
}

// entry is one member's total; nil: no score.
type entry struct {
	user  string
	score *int64
	at    int64
}

// finals are totals as the merged view has them.
func finals(v *catalog.View, entries []entry) *event.Batch {
	b := event.NewBatch(v.Plan.FinalSchema())
	table := v.Plan.NewTable()
	rows := event.NewBatch(v.Plan.Stream.Schema)
	for _, e := range entries {
		rows.Columns[0].AppendInt64(e.at)
		rows.Columns[1].AppendString([]byte(e.user))
		if e.score == nil {
			rows.Columns[2].AppendZero(true)
		} else {
			rows.Columns[2].AppendInt64(*e.score)
		}
		rows.Columns[3].AppendString(nil)
		rows.Rows++
	}
	if err := v.Plan.NewPipeline().Apply(rows, nil, table); err != nil {
		panic(err) // a test's own rows
	}
	keys := table.KeyColumns()
	b.Rows = table.Len()
	b.Columns[0].I64 = make([]int64, b.Rows)
	b.Columns[1] = keys[1]
	for i := range table.States {
		b.Columns[2+i] = table.Final(i)
	}
	return b
}

// world is a store, a log and a merged view of the tests.
type world struct {
	view   *catalog.View
	parts  []*ranked
	clock  time.Time
	seq    uint64
	head   uint64
	floor  int64
	moves  int // how many more readings move on
	absent int // how many more readings find nothing
	reads  int
	old    *event.Batch // what the merged view has
	asked  merge.Query
}

func newWorld(t interface{ Fatal(...any) }, v *catalog.View, entries []entry) *world {
	w := &world{view: v, clock: now, seq: 5, head: 5, floor: redisboard.NoFloor, old: finals(v, nil)}
	of := make([][]entry, partitions)
	for _, e := range entries {
		name := event.Vector{Type: event.Type{Kind: event.String}}
		name.AppendString([]byte(e.user))
		p := event.PartitionOf(event.AppendPartitionKey(nil, &name, 0), partitions)
		of[p] = append(of[p], e)
	}
	for _, part := range of {
		r, err := rank(v.Board, finals(v, part))
		if err != nil {
			t.Fatal(err)
		}
		w.parts = append(w.parts, r)
	}
	return w
}

func (w *world) Read(ctx context.Context, boards []redisboard.Board, ask func(i int) []redisboard.Question) ([]redisboard.Reading, error) {
	w.reads++
	if w.absent > 0 {
		w.absent--
		w.clock = w.clock.Add(time.Second)
		return make([]redisboard.Reading, len(boards)), nil
	}
	if w.moves > 0 {
		w.moves--
		w.seq++
	}
	var out []redisboard.Reading
	for i, b := range boards {
		r, err := w.parts[b.Partition].Read(ctx, nil, func(int) []redisboard.Question { return ask(i) })
		if err != nil {
			return nil, err
		}
		r[0].Checkpoint = redisboard.Checkpoint{Checkpoint: redisview.Checkpoint{Seq: w.seq, Arrival: now.UnixNano()}, Floor: w.floor}
		out = append(out, r[0])
	}
	return out, nil
}

func (w *world) Head(context.Context, string, int) (uint64, error) { return w.head, nil }
func (w *world) Rejected(string) int64                             { return 7 }

func (w *world) Totals(_ context.Context, q merge.Query) (*merge.Result, error) {
	w.asked = q
	return &merge.Result{Batch: w.old, Provenance: merge.Provenance{Complete: true, Partitions: make([]merge.Partition, partitions)}}, nil
}

func (w *world) reader() *Reader {
	return New(Options{Store: w, Views: w, Log: w, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.clock }})
}

func (w *world) scope() Scope { return Scope{Board: w.view} }

// text shows rows as rank, member, score, one after the other.
func text(rows []Row) string {
	var parts []string
	for _, r := range rows {
		rank, among := "-", ""
		if r.Rank != nil {
			rank = fmt.Sprint(*r.Rank)
		}
		if r.Among != nil {
			among = fmt.Sprintf(" (%d)", *r.Among)
		}
		parts = append(parts, fmt.Sprintf("%s%s %s %s", rank, among, r.Member, r.Score))
	}
	return strings.Join(parts, ", ")
}

func scored(user string, score int64, at int64) entry { return entry{user, &score, at} }

// TestAnswers compares every question with a ranking by hand, for random members.
func TestAnswers(t *testing.T) {
	for _, options := range []string{"tie = 'shared'", "tie = 'first'", "tie = 'first', order = 'asc'", "order = 'asc'"} {
		t.Run(options, func(t *testing.T) {
			v := define(t, options)
			rapid.Check(t, func(t *rapid.T) {
				var entries []entry
				for i := range rapid.IntRange(0, 40).Draw(t, "members") {
					e := scored(fmt.Sprintf("u%d", i), rapid.OneOf(rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MaxInt64, math.MaxInt64 - 1})).Draw(t, "score"), rapid.Int64Range(0, 5).Draw(t, "at"))
					if rapid.IntRange(0, 9).Draw(t, "none") == 0 {
						e.score = nil
					}
					entries = append(entries, e)
				}
				checkAnswers(t, newWorld(t, v, entries), entries)
			})
		})
	}
}

// TestRunsOfEqualScores: neighbours have the rank that all of their score share, whether it
// is known from the places read beside them or has to be asked for.
func TestRunsOfEqualScores(t *testing.T) {
	for run, reads := range map[int]int{tieSlack: 2, 3 * tieSlack: 3} {
		entries := []entry{scored("best", 9, 0), scored("second", 8, 0), scored("worst", 1, 0)}
		for i := range run {
			entries = append(entries, scored(fmt.Sprintf("u%02d", i), 5, 0))
		}
		w := newWorld(t, define(t, "tie = 'shared'"), entries)
		last := fmt.Sprintf("u%02d", run-1) // of equal scores the places go by name
		a, err := w.reader().Around(t.Context(), w.scope(), last, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`3 "u%02d" 5, 3 "%s" 5, %d "worst" 1`, run-2, last, run+3)
		if got := text(a.Rows); got != want || w.reads != reads {
			t.Errorf("a run of %d: %s after %d readings, want %s after %d", run, got, w.reads, want, reads)
		}
	}
}

// byHand ranks entries.
func byHand(v *catalog.View, entries []entry) (list []entry, ranks []int64) {
	for _, e := range entries {
		if e.score != nil {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b entry) int {
		better := *a.score < *b.score
		if v.Board.Desc {
			better = *a.score > *b.score
		}
		switch {
		case *a.score != *b.score && better:
			return -1
		case *a.score != *b.score:
			return 1
		case v.Board.First && a.at != b.at:
			return int(a.at - b.at)
		}
		return strings.Compare(a.user, b.user)
	})
	for i, e := range list {
		rank := int64(i) + 1
		if i > 0 && !v.Board.First && *e.score == *list[i-1].score {
			rank = ranks[i-1]
		}
		ranks = append(ranks, rank)
	}
	return list, ranks
}

func checkAnswers(t *rapid.T, w *world, entries []entry) {
	r, ctx := w.reader(), context.Background()
	list, ranks := byHand(w.view, entries)
	want := func(from, to int) string {
		var parts []string
		for i := max(0, from); i < min(to, len(list)); i++ {
			parts = append(parts, fmt.Sprintf("%d %q %d", ranks[i], list[i].user, *list[i].score))
		}
		return strings.Join(parts, ", ")
	}
	n, offset := rapid.IntRange(1, 12).Draw(t, "n"), rapid.IntRange(0, 45).Draw(t, "offset")
	page, err := r.Top(ctx, w.scope(), n, offset, "")
	if err != nil || text(page.Rows) != want(offset, offset+n) || page.Members != int64(len(list)) {
		t.Fatalf("top %d from %d: %v, %s\nnot %s", n, offset, err, text(page.Rows), want(offset, offset+n))
	}
	if (page.Next == "") != (offset+n >= len(list)) {
		t.Fatalf("next is %q", page.Next)
	}
	if page.Next != "" {
		second, err := r.Top(ctx, w.scope(), n, 1, page.Next)
		if err != nil || text(second.Rows) != want(offset+n+1, offset+n+n+1) {
			t.Fatalf("the page after, without one: %v, %s\nnot %s", err, text(second.Rows), want(offset+n+1, offset+n+n+1))
		}
	}
	for i, e := range list {
		one, err := r.Rank(ctx, w.scope(), e.user)
		if err != nil || text([]Row{one.Row}) != want(i, i+1) || *one.Percentile != 100*float64(int64(len(list))-ranks[i]+1)/float64(len(list)) {
			t.Fatalf("rank of %s: %v, %+v", e.user, err, one)
		}
		around, err := r.Around(ctx, w.scope(), e.user, n)
		if err != nil || text(around.Rows) != want(i-n, i+n+1) {
			t.Fatalf("around %s: %v, %s\nnot %s", e.user, err, text(around.Rows), want(i-n, i+n+1))
		}
	}
	for _, e := range entries {
		if e.score != nil {
			continue
		}
		one, err := r.Rank(ctx, w.scope(), e.user)
		if err != nil || one.Rank != nil || one.Percentile != nil || string(one.Score) != "null" {
			t.Fatalf("rank of %s, who has no score: %v, %+v", e.user, err, one)
		}
		around, err := r.Around(ctx, w.scope(), e.user, n)
		if err != nil || len(around.Rows) != 1 {
			t.Fatalf("around %s, who has no score: %v, %+v", e.user, err, around)
		}
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(t, define(t, "tie = 'shared'"), []entry{scored("a", 3, 0), scored("b", 9, 0), scored("c", 3, 0), scored("d", 5, 0), scored("e", 1, 0), {user: "none"}})
	got, err := w.reader().Members(t.Context(), w.scope(), []string{"e", "c", "nobody", "a", "none", "d", "a"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `2 (1) "d" 5, 3 (2) "a" 3, 3 (2) "c" 3, 5 (4) "e" 1, - "nobody" null, - "none" null`
	if text(got.Rows) != want || got.Members != 5 {
		t.Errorf("%s of %d\nnot %s", text(got.Rows), got.Members, want)
	}
	size, err := w.reader().Size(t.Context(), w.scope())
	if err != nil || size.Members != 5 || size.Name != "all" {
		t.Errorf("size %+v, %v", size, err)
	}
}

func refusedAs(t *testing.T, err error, status int, detail string) {
	t.Helper()
	var p *problem.Problem
	if !errors.As(err, &p) || p.Status != status || !strings.Contains(p.Error(), detail) {
		t.Errorf("%v is not %d %s", err, status, detail)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, define(t, "windows = 'day,hour'"), nil)
	r, ctx := w.reader(), t.Context()
	tomorrow, ancient := now.Add(24*time.Hour), time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err := r.Top(ctx, Scope{Board: w.view, Window: "week"}, 1, 0, "")
	refusedAs(t, err, http.StatusBadRequest, `no window "week"; its windows are day, hour`)
	_, err = r.Top(ctx, Scope{Board: w.view, At: &tomorrow}, 1, 0, "")
	refusedAs(t, err, http.StatusBadRequest, "in the future")
	_, err = r.Top(ctx, Scope{Board: w.view, At: &ancient}, 1, 0, "")
	refusedAs(t, err, http.StatusBadRequest, "from 1900 to 2299")
	for _, cursor := range []string{"!", "AAAA"} {
		_, err = r.Top(ctx, w.scope(), 1, 0, cursor)
		refusedAs(t, err, http.StatusBadRequest, "is no cursor")
	}
	_, err = r.Rank(ctx, w.scope(), "x")
	refusedAs(t, err, http.StatusNotFound, `no member "x" in leaderboard best in the day of 2026-11-26 00:00`)
	_, err = r.Around(ctx, w.scope(), "x", 1)
	refusedAs(t, err, http.StatusNotFound, "no member")
	all := newWorld(t, define(t, "tie = 'shared'"), nil)
	_, err = all.reader().Top(ctx, Scope{Board: all.view, At: &ancient}, 1, 0, "")
	refusedAs(t, err, http.StatusBadRequest, "the window of all time is one")
	empty, err := r.Top(ctx, w.scope(), 1, 0, "")
	if err != nil || empty.Rows == nil || len(empty.Rows) != 0 || empty.Next != "" {
		t.Errorf("an empty window: %+v, %v", empty, err)
	}
	body, err := json.Marshal(empty)
	if err != nil || !strings.Contains(string(body), `"rows":[]`) || !strings.Contains(string(body), `"start":"2026-11-26T00:00:00Z","end":"2026-11-27T00:00:00Z"`) {
		t.Errorf("%s, %v", body, err)
	}
}

// TestMovingOn answers at one position though partitions move on between the steps.
func TestMovingOn(t *testing.T) {
	w := newWorld(t, define(t, "tie = 'shared'"), []entry{scored("a", 1, 0), scored("b", 2, 0)})
	w.moves = 9
	got, err := w.reader().Rank(t.Context(), w.scope(), "a")
	if err != nil || *got.Rank != 2 || got.Provenance.Partitions[1].Position != w.seq || w.moves != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if !got.Provenance.Complete || got.Provenance.Rejected != 7 {
		t.Errorf("provenance %+v", got.Provenance)
	}
}

func TestBeingBuilt(t *testing.T) {
	w := newWorld(t, define(t, "tie = 'shared'"), []entry{scored("a", 1, 0)})
	w.absent = 3
	got, err := w.reader().Rank(t.Context(), w.scope(), "a")
	if err != nil || *got.Rank != 1 {
		t.Errorf("after a short while: %+v, %v", got, err)
	}
	w.absent = 30
	_, err = w.reader().Rank(t.Context(), w.scope(), "a")
	refusedAs(t, err, http.StatusServiceUnavailable, "leaderboard best is being built")
}

// TestStepsBackAreWaitedOut does not answer with less than an earlier answer had, as while
// a lost state is built again.
func TestStepsBackAreWaitedOut(t *testing.T) {
	w := newWorld(t, define(t, "tie = 'shared'"), []entry{scored("a", 1, 0)})
	r := w.reader()
	if _, err := r.Rank(t.Context(), w.scope(), "a"); err != nil {
		t.Fatal(err)
	}
	w.seq, w.moves = 2, 3
	if got, err := r.Rank(t.Context(), w.scope(), "a"); err != nil || got.Provenance.Partitions[0].Position < 5 {
		t.Errorf("stepped back to %+v, %v", got, err)
	}
	w.head = 100
	if got, err := r.Rank(t.Context(), w.scope(), "a"); err != nil || got.Provenance.Complete {
		t.Errorf("behind the head: %+v, %v", got, err)
	}
}

// TestPastWindows answers from the merged view where Redis no longer has the window.
func TestPastWindows(t *testing.T) {
	v := define(t, "windows = 'all,day', keep = '7d'")
	w := newWorld(t, v, []entry{scored("a", 1, 0)})
	w.floor = now.AddDate(0, 0, -7).Unix()
	w.old = finals(v, []entry{scored("x", 5, 0), scored("y", 8, 0), scored("z", 8, 0)})
	at := now.AddDate(0, 0, -20)
	got, err := w.reader().Around(t.Context(), Scope{Board: v, Window: "day", At: &at}, "x", 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := `1 "y" 8, 1 "z" 8, 3 "x" 5`; text(got.Rows) != want {
		t.Errorf("%s, not %s", text(got.Rows), want)
	}
	if day := at.Truncate(24 * time.Hour).Unix(); w.asked.From != day || w.asked.To != day+86400 {
		t.Errorf("asked for %d to %d", w.asked.From, w.asked.To)
	}
	_, err = w.reader().Rank(t.Context(), Scope{Board: v, Window: "day", At: &at}, "a")
	refusedAs(t, err, http.StatusNotFound, "no member")
}
