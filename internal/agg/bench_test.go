package agg_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

const benchRows = 8192

// benchBatch is rows of a pane and a page as keys, and two floats and an integer.
func benchBatch(pages int) (keys, values []*event.Vector, bytes int64) {
	r := rand.New(rand.NewPCG(1, 2))
	pane := event.Vector{Type: event.Type{Kind: event.Int64}}
	page := event.Vector{Type: event.Type{Kind: event.String}}
	x := event.Vector{Type: event.Type{Kind: event.Float64}}
	y := event.Vector{Type: event.Type{Kind: event.Float64}}
	user := event.Vector{Type: event.Type{Kind: event.String}}
	for range benchRows {
		pane.AppendInt64(1_700_000_000 + 60*r.Int64N(2))
		page.AppendString(strconv.AppendInt([]byte("/page/"), r.Int64N(int64(pages)), 10))
		user.AppendString(strconv.AppendInt([]byte("user-"), r.Int64N(100_000), 10))
		x.AppendFloat64(r.Float64())
		y.AppendFloat64(r.NormFloat64())
	}
	bytes = int64(8*benchRows*3 + len(page.Str.Data) + len(user.Str.Data))
	return []*event.Vector{&pane, &page}, []*event.Vector{&x, &y, &user}, bytes
}

var benchKeys = []event.Type{{Kind: event.Int64}, {Kind: event.String}}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

// BenchmarkGroupBy is count and two sums by pane and page.
func BenchmarkGroupBy(b *testing.B) {
	for _, pages := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("groups=%d", 2*pages), func(b *testing.B) {
			keys, values, bytes := benchBatch(pages)
			float := event.Type{Kind: event.Float64}
			t := agg.NewTable(benchKeys, []*agg.Function{
				resolve(b, "count", nil), resolve(b, "sum", nil, float), resolve(b, "sum", nil, float),
			})
			var groups []uint32
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				groups = t.Groups(keys, benchRows, groups)
				t.States[0].Update(groups, nil)
				t.States[1].Update(groups, values[:1])
				t.States[2].Update(groups, values[1:2])
			}
			perRow(b)
		})
	}
}

// BenchmarkMap is the yardstick of BenchmarkGroupBy: Go's map, by page alone.
func BenchmarkMap(b *testing.B) {
	for _, pages := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("groups=%d", pages), func(b *testing.B) {
			keys, _, bytes := benchBatch(pages)
			counts := map[string]*uint64{}
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				for i := range benchRows {
					page := keys[1].Str.At(i)
					n := counts[string(page)]
					if n == nil {
						n = new(uint64)
						counts[string(page)] = n
					}
					*n++
				}
			}
			perRow(b)
		})
	}
}

// BenchmarkUpdate is each function alone over 1,000 groups.
func BenchmarkUpdate(b *testing.B) {
	_, values, _ := benchBatch(1000)
	r := rand.New(rand.NewPCG(3, 4))
	groups := make([]uint32, benchRows)
	condition := event.Vector{Type: event.Type{Kind: event.Bool}}
	for i := range groups {
		groups[i] = r.Uint32N(1000)
		condition.AppendBool(i%2 == 0)
	}
	float, user := values[:1], values[2:]
	number := event.Vector{Type: event.Type{Kind: event.UInt64}}
	for range benchRows {
		number.AppendUInt64(r.Uint64N(100_000))
	}
	whole := []*event.Vector{&number}
	for _, c := range []struct {
		name string
		args []*event.Vector
	}{
		{"count", nil}, {"sum", float}, {"avg", float}, {"min", float}, {"min", user}, {"uniq", float},
		{"uniq", user}, {"quantile", float}, {"sumIf", append(float[:1:1], &condition)}, {"uniqIf", append(user[:1:1], &condition)},
		{"varPop", float}, {"kurtPop", float}, {"corr", values[:2]}, {"avgWeighted", values[:2]}, {"sumKahan", float},
		{"argMin", values[:2]}, {"argMax", []*event.Vector{values[2], values[0]}}, {"uniqExact", float}, {"uniqExact", user},
		{"uniq", []*event.Vector{values[2], values[0]}}, {"groupBitXor", whole}, {"groupBitmap", whole}, {"sumOrNull", float}, {"sumDistinct", float},
	} {
		var types []event.Type
		name := c.name
		for _, a := range c.args {
			types = append(types, a.Type)
			name += "/" + a.Type.String()
		}
		b.Run(name, func(b *testing.B) {
			s := resolve(b, c.name, nil, types...).NewStates()
			s.Grow(1000)
			b.ReportAllocs()
			for b.Loop() {
				s.Update(groups, c.args)
			}
			perRow(b)
		})
	}
}
