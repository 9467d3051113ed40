package agg_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
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
	wild      bool // over floats whose sum is inexact, so without sum and avg
	functions []*agg.Function
}

// everyFunction binds every function to every type, Nullable or not, without a
// condition, with one, and with a Nullable one.
func everyFunction(t *testing.T) []fitting {
	var out []fitting
	boolean := event.Type{Kind: event.Bool}
	add := func(wild bool, args ...event.Type) {
		for _, suffix := range [][]event.Type{nil, {boolean}, {boolean.OrNull()}} {
			f := fitting{args: append(args[:len(args):len(args)], suffix...), wild: wild}
			for _, name := range agg.Known() {
				base, conditional := strings.CutSuffix(name, "If")
				if conditional != (suffix != nil) || wild && (base == "sum" || base == "avg") {
					continue
				}
				levels := [][]float64{nil}
				if base == "quantile" {
					levels = [][]float64{nil, {0}, {0.95}, {1}}
				}
				for _, level := range levels {
					if bound, err := agg.Resolve(name, level, f.args); err == nil {
						f.functions = append(f.functions, bound)
					}
				}
			}
			out = append(out, f)
		}
	}
	add(false)
	for _, k := range kinds {
		for _, arg := range []event.Type{k, k.OrNull()} {
			add(false, arg)
			if k.Kind == event.Float64 {
				add(true, arg)
			}
		}
	}
	return out
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

const testGroups, testRows = 6, 90 // the last group stays empty

// engineStates returns the value and the state's hex of each function by group, as the
// engine computes them: answer[group][2*function], [2*function+1].
func engineStates(t *testing.T, c fitting, rows rowSet) map[uint32][]string {
	columns := []string{"toString(g)"}
	for _, f := range c.functions {
		columns = append(columns, shown(call(f, ""), f.Result), "hex("+call(f, "State")+")")
	}
	answer := make(map[uint32][]string)
	for _, row := range ask(t, "SELECT "+strings.Join(columns, ", ")+" FROM "+rows.source()+" GROUP BY g") {
		g, _ := strconv.ParseUint(row[0], 10, 32)
		answer[uint32(g)] = row[1:]
	}
	return answer
}

// TestEngine compares each function with the engine: values over the same rows, states,
// the engine's finalisation and merge of states written here, and our merge of states
// written there.
func TestEngine(t *testing.T) {
	bound, values, states := 0, 0, 0
	for i, c := range everyFunction(t) {
		r := rand.New(rand.NewPCG(uint64(i), 2))
		all := randomRows(r, c.args, testRows, testGroups-1, c.wild)
		first, second := all.slice(0, testRows/3), all.slice(testRows/3, testRows)
		whole, rest := engineStates(t, c, all), engineStates(t, c, second)
		bound += len(c.functions)
		var queries []string
		var expected []agg.States
		for n, f := range c.functions {
			label := fmt.Sprintf("%s over %v", f.Batch, c.args)
			expect := func(what string, g uint32, got, want string) {
				t.Helper()
				if values++; !sameText(got, want, f.Result) {
					t.Errorf("%s: group %d: %s is %s, want %s", label, g, what, got, want)
				}
			}
			ours, half := statesOf(f, all), statesOf(f, first)
			var tuples []string
			for g := range uint32(testGroups) {
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
				expect("our merge", g, finalText(f, half, g), theirs[2*n])
				got := strings.ToUpper(hex.EncodeToString(ours.Append(nil, g)))
				states++
				// The order of hashes in a state of uniq is free.
				if got != theirs[2*n+1] && (!strings.HasPrefix(f.Name, "uniq") || len(got) != len(theirs[2*n+1])) {
					t.Errorf("%s: group %d: state is %s, want %s", label, g, got, theirs[2*n+1])
				}
			}
			queries = append(queries, fmt.Sprintf(
				"SELECT '%d' AS f, toString(g), what, %s FROM (SELECT g, what, %s AS s FROM values('g UInt32, what String, state String', %s)) GROUP BY g, what",
				n, shown(callOf(f, "Merge", "s"), f.Result), castState(f, "state"), strings.Join(tuples, ", ")))
			expected = append(expected, ours)
		}
		for _, row := range ask(t, strings.Join(queries, " UNION ALL ")) {
			n, _ := strconv.Atoi(row[0])
			g, _ := strconv.ParseUint(row[1], 10, 32)
			f := c.functions[n]
			if want := finalText(f, expected[n], uint32(g)); !sameText(row[3], want, f.Result) {
				t.Errorf("%s over %v: group %d: the engine's value of our state (%s) is %s, want %s", f.Batch, c.args, g, row[2], row[3], want)
			}
			values++
		}
	}
	t.Logf("%d bound functions, %d rows each: %d values and %d states compared with the engine", bound, testRows, values, states)
}

func statesOf(f *agg.Function, rows rowSet) agg.States {
	s := f.NewStates()
	s.Grow(testGroups)
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
