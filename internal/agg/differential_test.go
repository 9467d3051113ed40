package agg_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

var kinds = []event.Type{
	{Kind: event.Bool}, {Kind: event.Int64}, {Kind: event.UInt64}, {Kind: event.Float64},
	{Kind: event.String}, {Kind: event.String, LowCardinality: true}, {Kind: event.Date},
	{Kind: event.DateTime64, Precision: 3}, {Kind: event.DateTime64, Precision: 9},
}

// fitting is all functions that take certain argument types.
type fitting struct {
	args      []event.Type
	spread    spread
	keyed     bool // equal last values have equal first ones, so that argMin has no ties
	functions []*agg.Function
}

// spreadOf says over which values a function is exact, and so equal to the engine's
// whatever the order of additions. Those that do not add are for all.
func spreadOf(name string) spread {
	switch stem := stem(name); {
	case slices.Contains([]string{"sum", "avg"}, stem):
		return quarters
	case strings.HasPrefix(stem, "var"), strings.HasPrefix(stem, "std"), strings.HasPrefix(stem, "skew"),
		strings.HasPrefix(stem, "kurt"), strings.HasPrefix(stem, "co"), stem == "avgWeighted", stem == "sumKahan":
		return tame
	}
	return wild
}

// picker chooses the combinators of each function: all of them, or some.
type picker struct {
	all bool
	r   *rand.Rand
}

// conditions are the types of the last argument of -If; the first is none.
func (p picker) conditions() [][]event.Type {
	all := [][]event.Type{nil, {tBool}, {tBool.OrNull()}}
	if p.all {
		return all
	}
	return [][]event.Type{nil, all[1+p.r.IntN(2)]}
}

func (p picker) suffixes() []string {
	if p.all {
		return suffixes
	}
	return []string{"", suffixes[1+p.r.IntN(len(suffixes)-1)]}
}

// suffixes are those before -If; the first is none.
var suffixes = []string{"", "OrNull", "OrDefault", "Distinct", "DistinctOrNull", "DistinctOrDefault"}

// stem is a function's name without combinators.
func stem(name string) string {
	for _, s := range []string{"If", "OrNull", "OrDefault", "Distinct"} {
		name = strings.TrimSuffix(name, s)
	}
	return name
}

// everyFunction binds every function to every type, and to pairs of types, Nullable or
// not, without a condition, with one, and with a Nullable one.
func everyFunction(pick picker) []fitting {
	var out []fitting
	add := func(spread spread, keyed bool, args ...event.Type) {
		for _, condition := range pick.conditions() {
			f := fitting{args: append(args[:len(args):len(args)], condition...), spread: spread, keyed: keyed}
			for _, name := range agg.Known() {
				tied := strings.HasPrefix(name, "arg")
				if spread > spreadOf(name) || tied && !keyed {
					continue
				}
				for _, suffix := range pick.suffixes() {
					name := name + suffix
					if condition != nil {
						name += "If"
					}
					f.bind(name)
				}
			}
			out = append(out, f)
		}
	}
	add(tame, false)
	for i, k := range kinds {
		for _, arg := range []event.Type{k, k.OrNull()} {
			add(quarters, false, arg)
			if k.Numeric() {
				add(tame, false, arg)
			}
			if k.Kind == event.Float64 {
				add(wild, false, arg)
			}
		}
		other := kinds[(3*i+1)%len(kinds)]
		add(wild, true, k, other)
		add(wild, true, other.OrNull(), k)
		add(wild, true, k, other.OrNull())
		for _, other := range kinds {
			if k.Numeric() && other.Numeric() {
				add(tame, false, k, other)
			}
		}
	}
	add(tame, false, tFloat.OrNull(), tInt)
	add(tame, false, tInt, tInt.OrNull())
	add(tame, false, tFloat.OrNull(), tFloat.OrNull())
	return out
}

// bind adds a function once under all of its names; most do not take the types.
func (f *fitting) bind(name string) {
	levels := [][]float64{nil}
	if strings.HasPrefix(name, "quantile") {
		levels = [][]float64{nil, {0}, {0.95}, {1}}
	}
	for _, level := range levels {
		bound, err := agg.Resolve(name, level, f.args)
		if err == nil && !slices.ContainsFunc(f.functions, func(g *agg.Function) bool { return g.Batch == bound.Batch }) {
			f.functions = append(f.functions, bound)
		}
	}
}

// call is the engine's call of a function over columns a0, a1….
func call(f *agg.Function, combinator string) string {
	var args []string
	for i := range f.Args {
		args = append(args, fmt.Sprintf("a%d", i))
	}
	return callOf(f, combinator, strings.Join(args, ", "))
}

func callOf(f *agg.Function, combinator, args string) string {
	name, params, parametric := strings.Cut(f.Batch, "(")
	if parametric {
		params = "(" + params
	}
	return name + combinator + params + "(" + args + ")"
}

// castState is the engine's reading of the state whose hex is in a column.
func castState(f *agg.Function, column string) string {
	return fmt.Sprintf("CAST(unhex(%s), '%s')", column, strings.ReplaceAll(f.StateType, "'", `\'`))
}

// groupRows is how many rows a group has on average: so few that no digest joins samples,
// after which its merges are equal to the engine's within its error only.
const groupRows = 18

// mergeQueries is how many functions' states one query merges: the engine bounds its tree.
const mergeQueries = 30

// groupsOf is the number of groups that n rows fall into, and an empty one.
func groupsOf(n int) int { return n/groupRows + 1 }

// The short form of TestEngine is for every change: some combinators over few rows. With
// MILLRACE_TEST_LONG=1 it is all of them over more than 10,000 rows each.
const (
	shortRows  = 90
	longRows   = 1200
	longRounds = 2
)

// engineStates returns the value and the state's hex of each function by group, as the
// engine computes them: answer[group][2*function], [2*function+1].
func engineStates(t *testing.T, c fitting, rows rowSet) map[uint32][]string {
	columns := []string{"toString(g)"}
	for _, f := range c.functions {
		columns = append(columns, shown(call(f, ""), f.Result), "hex("+call(f, "State")+")")
	}
	answer := make(map[uint32][]string)
	for _, row := range ask(t, "SELECT "+strings.Join(columns, ", ")+" FROM "+rows.source()+" GROUP BY g SETTINGS compile_aggregate_expressions = 0, compile_expressions = 0") {
		g, _ := strconv.ParseUint(row[0], 10, 32)
		answer[uint32(g)] = row[1:]
	}
	return answer
}

// TestEngine compares each function with the engine: values over the same rows, states,
// the engine's finalisation and merge of states written here, and our merge of states
// written there.
func TestEngine(t *testing.T) {
	c := comparison{t: t, rows: map[string]int{}, perFit: shortRows}
	rounds, long := 1, os.Getenv("MILLRACE_TEST_LONG") == "1"
	if long {
		rounds, c.perFit = longRounds, longRows
	}
	for round := range rounds {
		pick := picker{all: long, r: rand.New(rand.NewPCG(uint64(round), 1))}
		for i, f := range everyFunction(pick) {
			c.compare(f, rand.New(rand.NewPCG(uint64(i), uint64(2+round))))
		}
	}
	least := math.MaxInt
	for _, n := range c.rows {
		least = min(least, n)
	}
	t.Logf("%d functions with their combinators, at least %d rows each: %d values and %d states compared with the engine",
		len(c.rows), least, c.values, c.states)
}

// comparison counts what TestEngine compares.
type comparison struct {
	t              *testing.T
	perFit         int            // rows
	rows           map[string]int // by function
	values, states int
}

func (c *comparison) compare(fit fitting, r *rand.Rand) {
	t := c.t
	all := randomRows(r, fit.args, c.perFit, groupsOf(c.perFit)-1, fit.spread)
	if fit.keyed {
		all.removeTies()
	}
	first, second := all.slice(0, c.perFit/3), all.slice(c.perFit/3, c.perFit)
	whole, rest := engineStates(t, fit, all), engineStates(t, fit, second)
	var queries []string
	var expected []map[string]agg.States // by what
	for n, f := range fit.functions {
		c.rows[f.Batch] += c.perFit
		label := fmt.Sprintf("%s over %v", f.Batch, fit.args)
		expect := func(what string, g uint32, got, want string) {
			t.Helper()
			if c.values++; !sameText(got, want, f) {
				t.Errorf("%s: group %d: %s is %s, want %s", label, g, what, got, want)
			}
		}
		ours, half := statesOf(f, all, groupsOf(c.perFit)), statesOf(f, first, groupsOf(c.perFit))
		var tuples []string
		for g := range uint32(groupsOf(c.perFit)) {
			tuples = append(tuples, fmt.Sprintf("(%d, 'whole', '%x'), (%d, 'parts', '%x')", g, ours.Append(nil, g), g, half.Append(nil, g)))
			if theirs, ok := rest[g]; ok {
				tuples = append(tuples, fmt.Sprintf("(%d, 'parts', '%s')", g, theirs[2*n+1]))
				if left, err := half.Merge(g, unhex(t, theirs[2*n+1])); err != nil || len(left) > 0 {
					t.Fatalf("%s: merge %s: %d bytes left, %v", label, theirs[2*n+1], len(left), err)
				}
			}
		}
		for g, theirs := range whole {
			expect("value", g, finalText(f, ours, g), theirs[2*n])
			if mergesToWhole(f) {
				expect("our merge", g, finalText(f, half, g), theirs[2*n])
			}
			c.states++
			if got, want := ours.Append(nil, g), unhex(t, theirs[2*n+1]); !sameState(f, got, want) {
				t.Errorf("%s: group %d: state is %x, want %x", label, g, got, want)
			}
		}
		queries = append(queries, fmt.Sprintf(
			"SELECT '%d' AS f, toString(g), what, %s FROM (SELECT g, what, %s AS s FROM values('g UInt32, what String, state String', %s)) GROUP BY g, what",
			n, shown(callOf(f, "Merge", "s"), f.Result), castState(f, "state"), strings.Join(tuples, ", ")))
		expected = append(expected, map[string]agg.States{"whole": ours, "parts": half})
	}
	var rows [][]string
	for part := range slices.Chunk(queries, mergeQueries) {
		rows = append(rows, ask(t, strings.Join(part, " UNION ALL "))...)
	}
	for _, row := range rows {
		n, _ := strconv.Atoi(row[0])
		g, _ := strconv.ParseUint(row[1], 10, 32)
		f := fit.functions[n]
		if want := finalText(f, expected[n][row[2]], uint32(g)); !sameText(row[3], want, f) {
			t.Errorf("%s over %v: group %d: the engine's value of our state (%s) is %s, want %s", f.Batch, fit.args, g, row[2], row[3], want)
		}
		c.values++
	}
}

// mergesToWhole reports whether merged parts have the value of all rows together. A digest of
// weights joins samples from few rows on, so that it has not; its merges here are still the
// engine's own, of the same parts, bit for bit. TestDigestWeighted measures its error.
func mergesToWhole(f *agg.Function) bool {
	return !strings.HasPrefix(f.Batch, "quantileTDigestWeighted") // its name may be the alias
}

// sameState compares states. The order of elements in a set is free: of these only the
// sizes are compared here, and their merges show what is in them.
func sameState(f *agg.Function, ours, engines []byte) bool {
	if strings.HasPrefix(f.Name, "uniq") || strings.Contains(f.Name, "Distinct") {
		return len(ours) == len(engines)
	}
	return bytes.Equal(ours, engines)
}

func statesOf(f *agg.Function, rows rowSet, groups int) agg.States {
	s := f.NewStates()
	s.Grow(groups)
	s.Update(rows.groups, rows.vectors())
	return s
}

func finalText(f *agg.Function, s agg.States, g uint32) string {
	v := event.Vector{Type: f.Result}
	s.Final(&v, g)
	return text(&v, 0)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
