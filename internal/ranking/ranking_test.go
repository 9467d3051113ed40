package ranking_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
	"github.com/millrace/millrace/internal/plan"
	"github.com/millrace/millrace/internal/plan/plantest"
	"github.com/millrace/millrace/internal/ranking"
)

const games = `CREATE STREAM games (ts DateTime64(0), name String, big UInt64, n Int64, f Float64, maybe Nullable(Float64), d Date, ok Bool)
	WITH (event_time = 'ts', partitions = 1)`

func build(tb testing.TB, query string) *plan.Board {
	tb.Helper()
	return plantest.Board(tb, games, "CREATE LEADERBOARD b AS "+query)
}

// row is one event of the tests.
type row struct {
	at    int64
	name  string
	n     int64
	maybe *float64
}

func rows(t *rapid.T) []row {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
		r := row{
			at:   rapid.Int64Range(0, 4*86400).Draw(t, "at"),
			name: rapid.SampledFrom([]string{"", "a", "b", "ab", "\x00", "é"}).Draw(t, "name"),
			n:    rapid.OneOf(rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{1 << 53, 1<<53 + 1})).Draw(t, "n"),
		}
		if rapid.Bool().Draw(t, "there") {
			f := rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), -1, math.Copysign(0, -1), 0, 2.5}).Draw(t, "maybe")
			r.maybe = &f
		}
		return r
	}), 0, 60).Draw(t, "rows")
}

// groups aggregates rows as a view.
func groups(t *rapid.T, b *plan.Board, rows []row) *agg.Table {
	batch := event.NewBatch(b.View.Stream.Schema)
	for _, r := range rows {
		for i, c := range batch.Schema.Columns {
			v := &batch.Columns[i]
			switch c.Name {
			case "ts":
				v.AppendInt64(r.at)
			case "name":
				v.AppendString([]byte(r.name))
			case "n":
				v.AppendInt64(r.n)
			case "maybe":
				if r.maybe == nil {
					v.AppendZero(true)
				} else {
					v.AppendFloat64(*r.maybe)
				}
			default:
				v.AppendZero(false)
			}
		}
		batch.Rows++
	}
	table := b.View.NewTable()
	if err := b.View.NewPipeline().Apply(batch, nil, table); err != nil {
		t.Fatal(err)
	}
	return table
}

// total is what a member has in a window, reckoned by hand.
type total struct {
	name  string
	score any // int64 or float64
	at    int64
}

// compareScores compares exactly.
func compareScores(a, b any) int {
	if x, ok := a.(int64); ok {
		return cmp.Compare(x, b.(int64))
	}
	return cmp.Compare(a.(float64), b.(float64))
}

// TestTally compares the order of elements with one reckoned by hand, over several kinds of
// scores and windows, with the rows given in two parts that are merged.
func TestTally(t *testing.T) {
	newest := func(of []row) int64 {
		return slices.MaxFunc(of, func(x, y row) int { return cmp.Compare(x.at, y.at) }).at
	}
	for _, k := range []struct {
		query string
		score func(of []row) (any, bool)
		at    func(of []row) int64
	}{
		{"SELECT name, count() AS score FROM games GROUP BY name WITH (windows = 'all,day', tie = 'first')",
			func(of []row) (any, bool) { return int64(len(of)), true },
			newest},
		{"SELECT name, min(n) AS score FROM games GROUP BY name WITH (windows = 'hour,all', tie = 'first', order = 'asc')",
			func(of []row) (any, bool) {
				return slices.MinFunc(of, func(x, y row) int { return cmp.Compare(x.n, y.n) }).n, true
			},
			func(of []row) int64 {
				return slices.MinFunc(of, func(x, y row) int { return cmp.Or(cmp.Compare(x.n, y.n), cmp.Compare(x.at, y.at)) }).at
			}},
		{"SELECT name, max(maybe) AS score FROM games GROUP BY name, tumble(ts, INTERVAL 2 DAY) WITH (tie = 'shared')",
			func(of []row) (any, bool) {
				best, any := math.Inf(-1), false
				for _, r := range of {
					if r.maybe != nil && !math.IsNaN(*r.maybe) {
						best, any = max(best, *r.maybe+0), true
					}
				}
				return best, any
			},
			func([]row) int64 { return 0 }},
	} {
		t.Run(k.query, func(t *testing.T) {
			b := build(t, k.query)
			rapid.Check(t, func(t *rapid.T) {
				all := rows(t)
				floor := rapid.SampledFrom([]int64{math.MinInt64, 86400, 100_000}).Draw(t, "floor")
				cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
				tally := ranking.NewTally(b)
				for _, part := range [][]row{all[:cut], all[cut:]} {
					if err := tally.Add(tally.TableGroups(groups(t, b, part)), nil, floor); err != nil {
						t.Fatal(err)
					}
				}
				instances, members := tally.Totals()
				keys, err := tally.Keys()
				if err != nil {
					t.Fatal(err)
				}
				got := map[ranking.Instance][][]byte{}
				for i, in := range instances {
					if len(keys[i]) > 0 {
						got[in] = append(got[in], slices.Concat(keys[i], members[i]))
					}
				}
				want := map[ranking.Instance][]total{}
				for in, of := range byInstance(b, all, floor) {
					for name, rows := range of {
						if score, ok := k.score(rows); ok {
							want[in] = append(want[in], total{name, score, k.at(rows)})
						}
					}
				}
				for in, list := range want {
					slices.SortFunc(list, func(x, y total) int {
						d := compareScores(x.score, y.score)
						if b.Desc {
							d = -d
						}
						return cmp.Or(d, cmp.Compare(x.at, y.at), cmp.Compare(x.name, y.name))
					})
					slices.SortFunc(got[in], bytes.Compare)
					if have := read(t, b, got[in]); have != text(list) {
						t.Fatalf("%v: %s\nnot %s", in, have, text(list))
					}
				}
				if len(got) != len(want) {
					t.Fatalf("%d windows, not %d", len(got), len(want))
				}
			})
		})
	}
}

// byInstance sorts rows by window and member.
func byInstance(b *plan.Board, all []row, floor int64) map[ranking.Instance]map[string][]row {
	out := map[ranking.Instance]map[string][]row{}
	for _, r := range all {
		for w, window := range b.Windows {
			in := ranking.Instance{Window: w, Start: window.Window.Start(r.at)}
			if window.Name != plan.WholeTime && window.Window.Next(in.Start) <= floor {
				continue
			}
			if out[in] == nil {
				out[in] = map[string][]row{}
			}
			out[in][r.name] = append(out[in][r.name], r)
		}
	}
	return out
}

func text(list []total) (s string) {
	for _, t := range list {
		s += fmt.Sprintf("%q %v; ", t.name, t.score)
	}
	return s
}

func read(t *rapid.T, b *plan.Board, elements [][]byte) (s string) {
	for _, e := range elements {
		score := event.Vector{Type: b.Score.Type.NotNull()}
		member := event.Vector{Type: b.View.Keys[0].Type.NotNull()}
		if err := ranking.Score(&score, b, e); err != nil {
			t.Fatal(err)
		}
		if err := ranking.ReadMember(&member, e[ranking.KeySize(b):]); err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf("%q %v; ", member.Value(0), score.Value(0))
	}
	return s
}

func TestMembers(t *testing.T) {
	for column, texts := range map[string][]string{
		"n":    {"-5", "0", "9223372036854775807"},
		"big":  {"0", "18446744073709551615"},
		"name": {"", "a/b", "\xff"},
		"d":    {"1970-01-01", "2026-11-26"},
		"ok":   {"false", "true"},
		"ts":   {"1969-12-31 23:59:59", "2026-11-26 10:00:00"},
	} {
		b := build(t, "SELECT "+column+" AS m, count() FROM games GROUP BY m")
		var before []byte
		for _, text := range texts {
			v, err := ranking.ParseMember(b, text)
			if err != nil {
				t.Errorf("%s %q: %v", column, text, err)
				continue
			}
			encoded, ok := ranking.AppendMember(nil, v, 0)
			if !ok || before != nil && bytes.Compare(before, encoded) >= 0 {
				t.Errorf("%s: %q is not after the one before it", column, text)
			}
			before = encoded
			back := event.Vector{Type: v.Type}
			if err := ranking.ReadMember(&back, encoded); err != nil || back.Value(0) != v.Value(0) {
				t.Errorf("%s %q reads back as %v, %v", column, text, back.Value(0), err)
			}
		}
		if column == "name" {
			continue
		}
		if _, err := ranking.ParseMember(b, "x y"); err == nil {
			t.Errorf("%s: x y is a member", column)
		}
		if err := ranking.ReadMember(&event.Vector{Type: b.View.Keys[0].Type}, []byte("xyz")); err == nil {
			t.Errorf("%s: three bytes are a member", column)
		}
	}
	b := build(t, "SELECT n, count() FROM games GROUP BY n")
	if err := ranking.Score(&event.Vector{Type: b.Score.Type}, b, []byte("short")); err == nil {
		t.Error("five bytes have a score")
	}
}
