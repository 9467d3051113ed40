package agg_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

// keyShapes are tuples of key types: the empty one, single ones and mixtures.
var keyShapes = [][]event.Type{
	{},
	{{Kind: event.Int64}},
	{{Kind: event.String}},
	{{Kind: event.Int64}, {Kind: event.String}},
	{{Kind: event.Int64}, {Kind: event.String, Nullable: true, LowCardinality: true}},
	{{Kind: event.Int64}, {Kind: event.String}, {Kind: event.String, Nullable: true}, {Kind: event.Bool, Nullable: true}},
	{{Kind: event.UInt64, Nullable: true}, {Kind: event.Float64}, {Kind: event.Date}, {Kind: event.DateTime64, Precision: 3, Nullable: true}},
}

// keyOf writes the key of a row as the contract says, without the table.
func keyOf(keys []event.Vector, row int) string {
	var b []byte
	for i := range keys {
		v := keys[i]
		if v.Type.Kind == event.Date { // 8 bytes in a key
			v.Type.Kind = event.Int64
		}
		b = appendRowBinary(b, &v, row)
	}
	return string(b)
}

func pointers(vs []event.Vector) []*event.Vector {
	var out []*event.Vector
	for i := range vs {
		out = append(out, &vs[i])
	}
	return out
}

// TestTableGroups compares grouping with a map of encoded keys.
func TestTableGroups(t *testing.T) {
	count := resolve(t, "count", nil)
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SampledFrom(keyShapes).Draw(t, "shape")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		table := agg.NewTable(shape, []*agg.Function{count})
		model := map[string]uint32{}
		var out []uint32
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			rows := rapid.IntRange(0, 300).Draw(t, "rows")
			keys := randomRows(r, shape, rows, 1, wild).args
			out = table.Groups(pointers(keys), rows, out)
			if len(out) != rows {
				t.Fatalf("%d groups for %d rows", len(out), rows)
			}
			for i, g := range out {
				k := keyOf(keys, i)
				want, known := model[k]
				if !known {
					want = uint32(len(model))
					model[k] = want
				}
				if g != want {
					t.Fatalf("row %d is in group %d, want %d", i, g, want)
				}
			}
			table.States[0].Update(out, nil) // the states have grown with the groups
		}
		if table.Len() != len(model) || len(table.Dirty()) != len(model) {
			t.Fatalf("%d groups, %d dirty, want %d", table.Len(), len(table.Dirty()), len(model))
		}
		table.ClearDirty()
		columns := table.KeyColumns()
		for k, g := range model {
			if got := string(table.AppendKey(nil, g)); got != k {
				t.Fatalf("key of group %d is %x, want %x", g, got, k)
			}
			if got := keyOf(columns, int(g)); got != k {
				t.Fatalf("columns of group %d are %x, want %x", g, got, k)
			}
			if got, err := table.GroupOf([]byte(k)); err != nil || got != g {
				t.Fatalf("group of %x is %d, %v; want %d", k, got, err, g)
			}
		}
		if table.Len() != len(model) || len(table.Dirty()) != len(model) {
			t.Fatalf("after GroupOf: %d groups, %d dirty, want %d", table.Len(), len(table.Dirty()), len(model))
		}
		table.Reset()
		if table.Len() != 0 || len(table.Dirty()) != 0 {
			t.Fatal("a reset table is not empty")
		}
	})
}

// mergeable are functions whose merge is exact over randomRows; types are in step.
func mergeable(t testing.TB) (functions []*agg.Function, args [][]int, types []event.Type) {
	types = []event.Type{
		{Kind: event.Int64}, {Kind: event.Float64, Nullable: true}, {Kind: event.String},
		{Kind: event.DateTime64, Precision: 3}, {Kind: event.Bool, Nullable: true},
	}
	for _, c := range []struct {
		name string
		args []int
	}{
		{"count", nil}, {"sum", []int{0}}, {"sumIf", []int{1, 4}}, {"avg", []int{1}}, {"min", []int{1}},
		{"max", []int{2}}, {"minIf", []int{2, 4}}, {"max", []int{3}}, {"uniq", []int{2}}, {"uniqIf", []int{1, 4}}, {"countIf", []int{4}},
	} {
		var argTypes []event.Type
		for _, a := range c.args {
			argTypes = append(argTypes, types[a])
		}
		functions = append(functions, resolve(t, c.name, nil, argTypes...))
		args = append(args, c.args)
	}
	return functions, args, types
}

// TestTableMerge: rows in any number of partials, which merge in any order, give what
// one table over all rows gives [DESIGN 3.4].
func TestTableMerge(t *testing.T) {
	functions, args, types := mergeable(t)
	keys := []event.Type{{Kind: event.Int64}, {Kind: event.Bool}}
	apply := func(table *agg.Table, rows rowSet) {
		k := event.Vector{Type: keys[0]}
		for _, g := range rows.groups {
			k.AppendInt64(int64(g))
		}
		groups := table.Groups([]*event.Vector{&k, &rows.args[len(types)]}, len(rows.groups), nil)
		for i, s := range table.States {
			var vs []*event.Vector
			for _, a := range args[i] {
				vs = append(vs, &rows.args[a])
			}
			s.Update(groups, vs)
		}
	}
	answer := func(table *agg.Table) map[string]string {
		out := map[string]string{}
		for g := range uint32(table.Len()) {
			var s string
			for i := range functions {
				v := table.Final(i)
				s += fmt.Sprintf("%s=%s ", functions[i].Name, text(&v, int(g)))
			}
			out[string(table.AppendKey(nil, g))] = s
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n := rapid.IntRange(1, 400).Draw(t, "rows")
		all := randomRows(r, append(types, event.Type{Kind: event.Bool}), n, 3, quarters)
		whole := agg.NewTable(keys, functions)
		apply(whole, all)

		// Each row goes to a random part, in random order.
		parts := make([]*agg.Table, rapid.IntRange(1, 5).Draw(t, "parts"))
		for i := range parts {
			parts[i] = agg.NewTable(keys, functions)
		}
		for _, row := range r.Perm(n) {
			apply(parts[r.IntN(len(parts))], all.slice(row, row+1))
		}
		byPartial, byTable := agg.NewTable(keys, functions), agg.NewTable(keys, functions)
		for _, p := range r.Perm(len(parts)) {
			if err := byTable.MergeFrom(parts[p]); err != nil {
				t.Fatal(err)
			}
			for g := range uint32(parts[p].Len()) {
				to, err := byPartial.GroupOf(parts[p].AppendKey(nil, g))
				if err != nil {
					t.Fatal(err)
				}
				if err := byPartial.MergePartial(to, parts[p].AppendPartial(nil, g)); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := answer(whole)
		for name, got := range map[string]map[string]string{"partials": answer(byPartial), "tables": answer(byTable)} {
			if len(got) != len(want) {
				t.Fatalf("%s: %d groups, want %d", name, len(got), len(want))
			}
			for k := range want {
				if got[k] != want[k] {
					t.Fatalf("%s: group %x:\n got %s\nwant %s", name, k, got[k], want[k])
				}
			}
		}
	})
}

// TestTableSteadyState: once the groups are known, a batch allocates nothing.
func TestTableSteadyState(t *testing.T) {
	functions, args, types := mergeable(t)
	table := agg.NewTable(benchKeys, functions)
	keys, _, _ := benchBatch(100)
	rows := randomRows(rand.New(rand.NewPCG(1, 1)), types, benchRows, 1, quarters)
	vectors := make([][]*event.Vector, len(functions))
	for i := range functions {
		for _, a := range args[i] {
			vectors[i] = append(vectors[i], &rows.args[a])
		}
	}
	var groups []uint32
	batch := func() {
		groups = table.Groups(keys, benchRows, groups)
		for i, s := range table.States {
			s.Update(groups, vectors[i])
		}
	}
	batch()
	if n := testing.AllocsPerRun(5, batch); n > 0 {
		t.Errorf("%v allocations per batch of %d rows", n, benchRows)
	}
}

func TestMergePartialRefuses(t *testing.T) {
	table := agg.NewTable(nil, []*agg.Function{resolve(t, "count", nil), resolve(t, "sum", nil, event.Type{Kind: event.Int64})})
	g, err := table.GroupOf(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := table.AppendPartial(nil, g)
	for name, partial := range map[string][]byte{
		"nothing": nil, "one state": good[:1], "cut": good[:5], "more": append(good[:len(good):len(good)], 0),
	} {
		if err := table.MergePartial(g, partial); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := table.GroupOf([]byte{1}); err == nil {
		t.Error("a key of no columns with a byte: no error")
	}
}
