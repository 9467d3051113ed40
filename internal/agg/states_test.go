package agg_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

var (
	tBool   = event.Type{Kind: event.Bool}
	tInt    = event.Type{Kind: event.Int64}
	tUInt   = event.Type{Kind: event.UInt64}
	tFloat  = event.Type{Kind: event.Float64}
	tString = event.Type{Kind: event.String}
	tDate   = event.Type{Kind: event.Date}
	tMillis = event.Type{Kind: event.DateTime64, Precision: 3}
)

// vectorOf makes a vector of Go values; nil is null.
func vectorOf(typ event.Type, values ...any) *event.Vector {
	v := &event.Vector{Type: typ}
	for _, x := range values {
		switch x := x.(type) {
		case nil:
			v.AppendZero(true)
		case bool:
			v.AppendBool(x)
		case int:
			if typ.Kind == event.UInt64 {
				v.AppendUInt64(uint64(x))
			} else {
				v.AppendInt64(int64(x))
			}
		case float64:
			v.AppendFloat64(x)
		case string:
			v.AppendString([]byte(x))
		}
	}
	return v
}

// TestGoldenStates holds the examples of docs/states.md, which hold those of DESIGN 9.
// They were read from ClickHouse 26.7 with hex(…State(…)).
func TestGoldenStates(t *testing.T) {
	for _, c := range []struct {
		function string
		v        *event.Vector
		want     string
	}{
		{"count", vectorOf(tInt, slices.Repeat([]any{7}, 300)...), "AC02"},
		{"sum", vectorOf(tBool, true), "0100000000000000"},
		{"sum", vectorOf(tInt, -5), "FBFFFFFFFFFFFFFF"},
		{"sum", vectorOf(tFloat, 1.5), "000000000000F83F"},
		{"sum", vectorOf(tFloat.OrNull(), 1.5), "01000000000000F83F"},
		{"sum", vectorOf(tFloat.OrNull(), nil), "00"},
		{"avg", vectorOf(tFloat, 3.5), "0000000000000C4001"},
		{"avg", vectorOf(tInt, -5), "FBFFFFFFFFFFFFFF01"},
		{"min", vectorOf(tFloat, 1.5), "01000000000000F83F"},
		{"min", vectorOf(tFloat), "00"},
		{"min", vectorOf(tBool, true), "0101"},
		{"min", vectorOf(tDate, 18262), "015647"},
		{"min", vectorOf(tMillis, -315619200000), "010034A183B6FFFFFF"},
		{"min", vectorOf(tString, "abc"), "0400000061626300"},
		{"min", vectorOf(tString, ""), "0100000000"},
		{"min", vectorOf(tString), "FFFFFFFF"},
		{"min", vectorOf(tString.OrNull(), "abc"), "010400000061626300"},
		{"min", vectorOf(tFloat, nan, nan), "01000000000000F87F"},
		{"uniq", vectorOf(tString, "b", "a"), "0002A494B51CFD9FBFBC"},
		{"uniq", vectorOf(tUInt, 7), "0001DDD168E4"},
		{"uniq", vectorOf(tInt, 0), "000100000000"},
		{"uniq", vectorOf(tFloat, 1.0), "0001B2B2CE9C"},
		{"uniq", vectorOf(tDate, 18262), "000186FFD662"},
		{"uniq", vectorOf(tMillis, -315619200000), "00018259EC8B"},
		{"uniq", vectorOf(tString.OrNull(), "a"), "010001FD9FBFBC"},
		{"uniq", vectorOf(tString.OrNull(), nil), "010000"},
		{"quantile", vectorOf(tFloat, 1.0, 2.0, 3.0), "030000803F0000803F000000400000803F000040400000803F"},
		{"quantile", vectorOf(tFloat.OrNull(), 5.5), "01010000B0400000803F"},
		{"quantile", vectorOf(tFloat, nan), "00"},
		{"sumOrNull", vectorOf(tInt, 1), "010000000000000001"},
		{"sumOrNull", vectorOf(tInt.OrNull(), 1), "010000000000000001"},
		{"sumOrNull", vectorOf(tInt), "000000000000000000"},
		{"sumOrDefault", vectorOf(tInt.OrNull(), 1), "01010000000000000001"},
		{"sumDistinct", vectorOf(tInt, 2, 2), "010200000000000000"},
		{"sumKahan", vectorOf(tInt, 1), "000000000000F03F0000000000000000"},
		{"varPop", vectorOf(tInt, 1, 2, 4), "00000000000008400000000000001C400000000000003540"},
		{"kurtPop", vectorOf(tInt, 1, 2, 4), "00000000000008400000000000001C40000000000000354000000000004052400000000000107140"},
		{"groupBitOr", vectorOf(tInt, 5), "0500000000000000"},
		{"groupBitAnd", vectorOf(tUInt), "FFFFFFFFFFFFFFFF"},
		{"uniqExact", vectorOf(tString, "a"), "0171315E763CCB60893893CDBB5CC3A21F"},
		{"uniqExact", vectorOf(tDate, 18262), "015647"},
		{"groupBitmap", vectorOf(tUInt, 5, 7), "000205000000000000000700000000000000"},
		{"quantileExact", vectorOf(tInt, 3, 1, 2), "03030000000000000001000000000000000200000000000000"},
	} {
		s := one(resolve(t, c.function, nil, c.v.Type), c.v)
		if got := strings.ToUpper(hex.EncodeToString(s.Append(nil, 0))); got != c.want {
			t.Errorf("%s over %v: state %s, want %s", c.function, c.v.Type, got, c.want)
		}
	}
}

// TestGoldenPairs is TestGoldenStates for functions of two values.
func TestGoldenPairs(t *testing.T) {
	for _, c := range []struct {
		function string
		x, y     *event.Vector
		want     string
	}{
		{"covarPop", vectorOf(tInt, 1, 2, 4), vectorOf(tFloat, 3.0, 6.0, 12.0), "00000000000008400000000000001C4000000000000035400000000000804F40"},
		{"avgWeighted", vectorOf(tInt, 1, 2, 4), vectorOf(tInt, 3, 6, 12), "3F000000000000001500000000000000"},
		{"argMin", vectorOf(tString, "b", "a"), vectorOf(tInt, 1, 1), "020000006100010100000000000000"},
		{"argMin", vectorOf(tString), vectorOf(tInt), "FFFFFFFF00"},
		{"uniq", vectorOf(tString, "a"), vectorOf(tInt, 1), "0001BA06E9D4"},
		{"uniqExact", vectorOf(tString, "a"), vectorOf(tInt, 1), "0146BF948A67B3F3FCD0EE4284C2D8AABD"},
		{"quantileTDigestWeighted", vectorOf(tInt, 1), vectorOf(tUInt, 3), "010000803F00004040"},
	} {
		s := resolve(t, c.function, nil, c.x.Type, c.y.Type).NewStates()
		s.Grow(1)
		s.Update(make([]uint32, c.x.Len()), []*event.Vector{c.x, c.y})
		if got := strings.ToUpper(hex.EncodeToString(s.Append(nil, 0))); got != c.want {
			t.Errorf("%s over %v, %v: state %s, want %s", c.function, c.x.Type, c.y.Type, got, c.want)
		}
	}
}

// TestTies: of equally good rows argMin and argMax keep the least value, whatever the
// order of rows and of merges, and NaN loses.
func TestTies(t *testing.T) {
	by := vectorOf(tFloat, nan, 1.0, 1.0, 2.0, 2.0, nan)
	for _, name := range []string{"argMin", "argMax"} {
		f := resolve(t, name, nil, tInt, tFloat)
		want := map[string]string{"argMin": "4", "argMax": "2"}[name]
		for _, args := range [][]any{{0, 5, 4, 3, 2, 1}, {0, 4, 5, 2, 3, 1}} {
			merged := f.NewStates()
			merged.Grow(1)
			for i := by.Len() - 1; i >= 0; i-- {
				row := f.NewStates()
				row.Grow(1)
				row.Update([]uint32{0}, []*event.Vector{vectorOf(tInt, args[i]), vectorOf(tFloat, by.F64[i])})
				if _, err := merged.Merge(0, row.Append(nil, 0)); err != nil {
					t.Fatal(err)
				}
			}
			whole := f.NewStates()
			whole.Grow(1)
			whole.Update(make([]uint32, by.Len()), []*event.Vector{vectorOf(tInt, args...), by})
			if got := finalText(f, merged, 0) + " " + finalText(f, whole, 0); got != want+" "+want {
				t.Errorf("%s of %v is %s when merged and as a whole, want %s", name, args, got, want)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name                     string
		params                   []float64
		args                     []event.Type
		batch, stateType, result string
	}{
		{"count", nil, nil, "count", "AggregateFunction(count)", "UInt64"},
		{"COUNT", nil, []event.Type{tInt.OrNull()}, "count", "AggregateFunction(count, Nullable(Int64))", "UInt64"},
		{"countIf", nil, []event.Type{tBool}, "countIf", "AggregateFunction(countIf, Bool)", "UInt64"},
		{"Sum", nil, []event.Type{tBool}, "sum", "AggregateFunction(sum, Bool)", "UInt64"},
		{"sumIf", nil, []event.Type{tFloat.OrNull(), tBool}, "sumIf", "AggregateFunction(sumIf, Nullable(Float64), Bool)", "Nullable(Float64)"},
		{"avgIf", nil, []event.Type{tInt, tBool.OrNull()}, "avgIf", "AggregateFunction(avgIf, Int64, Nullable(Bool))", "Float64"},
		{"max", nil, []event.Type{{Kind: event.String, LowCardinality: true, Nullable: true}}, "max", "AggregateFunction(max, Nullable(String))", "Nullable(String)"},
		{"min", nil, []event.Type{tMillis}, "min", "AggregateFunction(min, DateTime64(3, 'UTC'))", "DateTime64(3, 'UTC')"},
		{"uniq", nil, []event.Type{tString.OrNull()}, "uniq", "AggregateFunction(uniq, Nullable(String))", "UInt64"},
		{"median", nil, []event.Type{tInt}, "quantileTDigest(0.5)", "AggregateFunction(quantileTDigest(0.5), Int64)", "Float64"},
		{"STDDEV_POP", nil, []event.Type{tInt}, "stddevPop", "AggregateFunction(stddevPop, Int64)", "Float64"},
		{"argMin", nil, []event.Type{tString, tMillis.OrNull()}, "argMin", "AggregateFunction(argMin, String, Nullable(DateTime64(3, 'UTC')))", "Nullable(String)"},
		{"sumDistinctOrNullIf", nil, []event.Type{tInt, tBool}, "sumDistinctOrNullIf", "AggregateFunction(sumDistinctOrNullIf, Int64, Bool)", "Nullable(Int64)"},
		{"quantile", nil, []event.Type{tInt}, "quantileTDigest(0.5)", "AggregateFunction(quantileTDigest(0.5), Int64)", "Float64"},
		{"quantileIf", []float64{0.95}, []event.Type{tFloat, tBool}, "quantileTDigestIf(0.95)", "AggregateFunction(quantileTDigestIf(0.95), Float64, Bool)", "Float64"},
	} {
		f := resolve(t, c.name, c.params, c.args...)
		if f.Name != c.name || f.Batch != c.batch || f.StateType != c.stateType || f.Result.String() != c.result {
			t.Errorf("%s%v is %s, %s, %s", c.name, c.args, f.Batch, f.StateType, f.Result)
		}
	}
	for _, c := range []struct {
		name   string
		params []float64
		args   []event.Type
		says   string
	}{
		{"mean", nil, []event.Type{tInt}, `unknown aggregate function "mean"; known are argMax, argMin, avg`},
		{"sumIfOrNull", nil, []event.Type{tInt, tBool}, "write sumOrNullIf"},
		{"sumOrNullDistinctIf", nil, []event.Type{tInt, tBool}, "write sumDistinctOrNullIf"},
		{"sumOrNullOrDefault", nil, []event.Type{tInt}, "unknown"},
		{"sumIfIf", nil, []event.Type{tInt, tBool, tBool}, "unknown"},
		{"Distinct", nil, []event.Type{tInt}, "unknown"},
		{"countDistinct", nil, []event.Type{tString}, "uniqExact counts"},
		{"countDistinct", nil, nil, "takes one number"},
		{"avgWeighted", nil, []event.Type{tFloat, tInt}, "toFloat64(w)"},
		{"avgWeighted", nil, []event.Type{tInt, tBool}, "toInt64(w)"},
		{"covarPop", nil, []event.Type{tFloat}, "takes 2 values, not 1"},
		{"corr", nil, []event.Type{tFloat, tString}, "does not take values of type Float64, String"},
		{"groupBitAnd", nil, []event.Type{tFloat}, "does not take values of type Float64"},
		{"quantileExact", nil, []event.Type{tString}, "does not take values of type String"},
		{"Uniq", nil, []event.Type{tInt}, "unknown"},
		{"sumIF", nil, []event.Type{tInt, tBool}, "unknown"},
		{"sum", nil, []event.Type{tString}, "does not take values of type String"},
		{"sum", nil, nil, "takes one value, not 0"},
		{"sum", nil, []event.Type{tInt, tInt}, "takes one value, not 2"},
		{"uniq", nil, nil, "takes one value, not 0"},
		{"quantileTDigestWeighted", nil, []event.Type{tFloat, tInt}, "toUInt64(w)"},
		{"sumIf", nil, []event.Type{tInt}, "condition of type Bool"},
		{"sumIf", nil, nil, "condition of type Bool"},
		{"sum", []float64{1}, []event.Type{tInt}, "takes no parameters"},
		{"quantile", []float64{1.5}, []event.Type{tInt}, "from 0 to 1"},
		{"quantile", []float64{nan}, []event.Type{tInt}, "from 0 to 1"},
		{"quantile", []float64{0.1, 0.2}, []event.Type{tInt}, "one level"},
		{"quantile", nil, []event.Type{tDate}, "does not take values of type Date"},
		{"avg", nil, []event.Type{tMillis}, "does not take values of type DateTime64"},
	} {
		if _, err := agg.Resolve(c.name, c.params, c.args); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s%v: error %v, want one with %q", c.name, c.args, err, c.says)
		}
	}
}

// fuzzed are functions that between them have every state format.
func fuzzed(t testing.TB) []*agg.Function {
	return []*agg.Function{
		resolve(t, "count", nil),
		resolve(t, "sum", nil, tInt),
		resolve(t, "sum", nil, tFloat.OrNull()),
		resolve(t, "avg", nil, tUInt),
		resolve(t, "min", nil, tBool),
		resolve(t, "max", nil, tDate),
		resolve(t, "min", nil, tFloat.OrNull()),
		resolve(t, "max", nil, tString),
		resolve(t, "min", nil, tString.OrNull()),
		resolve(t, "uniq", nil, tString),
		resolve(t, "uniqIf", nil, tInt, tBool.OrNull()),
		resolve(t, "quantile", nil, tFloat),
		resolve(t, "quantile", []float64{0.9}, tInt.OrNull()),
		resolve(t, "argMin", nil, tString, tFloat),
		resolve(t, "argMax", nil, tBool, tString.OrNull()),
		resolve(t, "kurtPop", nil, tFloat),
		resolve(t, "corr", nil, tFloat, tInt.OrNull()),
		resolve(t, "avgWeighted", nil, tUInt, tBool),
		resolve(t, "avgWeighted", nil, tFloat, tFloat),
		resolve(t, "sumKahan", nil, tFloat),
		resolve(t, "groupBitXor", nil, tBool),
		resolve(t, "uniqExact", nil, tString),
		resolve(t, "uniqExact", nil, tDate),
		resolve(t, "quantileExact", nil, tFloat),
		resolve(t, "quantileExactLow", nil, tBool),
		resolve(t, "sumDistinct", nil, tFloat),
		resolve(t, "groupBitmap", nil, tInt),
		resolve(t, "uniqExact", nil, tString, tInt),
		resolve(t, "quantileTDigestWeighted", nil, tFloat, tUInt),
		resolve(t, "groupBitmap", nil, tBool),
		resolve(t, "avgOrNull", nil, tInt),
		resolve(t, "uniqExactDistinctOrDefaultIf", nil, tUInt.OrNull(), tBool),
	}
}

// FuzzMerge feeds bytes to each function: a refusal leaves the group as it was; what is
// taken leaves the rest alone, and its own state merges to the same value.
func FuzzMerge(f *testing.F) {
	functions := fuzzed(f)
	for i, fn := range functions {
		s := fn.NewStates()
		s.Grow(1)
		f.Add(uint8(i), s.Append(nil, 0))
	}
	for _, state := range []string{
		"0002A494B51CFD9FBFBC", "0400000061626300", "010400000061626300", "030000803F0000803F000000400000803F000040400000803F",
		"011B0100000000000000000000003B3000000100002700010000002700", "000205000000000000000700000000000000",
		"020000006100010100000000000000", "0202000000000000000100000000000000",
		"01010000B0400000803F", "0000000000000C4001", "10FFFFFFFF0F", "FFFFFF7F00", "FFFFFFFFFFFFFFFFFF01",
	} {
		for i := range functions {
			f.Add(uint8(i), unhex(f, state))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		fn := functions[int(which)%len(functions)]
		s := fn.NewStates()
		s.Grow(2)
		before := s.Append(nil, 1)
		rest, err := s.Merge(1, b)
		after := s.Append(nil, 1)
		if err != nil {
			if !bytes.Equal(before, after) {
				t.Fatalf("%s: refused, yet the state went from %x to %x", fn.Batch, before, after)
			}
			return
		}
		if !bytes.HasSuffix(b, rest) {
			t.Fatalf("%s: the rest %x is no end of %x", fn.Batch, rest, b)
		}
		again := fn.NewStates()
		again.Grow(1)
		if left, err := again.Merge(0, after); err != nil || len(left) > 0 {
			t.Fatalf("%s: own state %x: %d bytes left, %v", fn.Batch, after, len(left), err)
		}
		got, want := finalText(fn, again, 0), finalText(fn, s, 1)
		if fn.Params == nil && got != want {
			t.Fatalf("%s: %s after a round trip, before %s", fn.Batch, got, want)
		}
		if untouched := s.Append(nil, 0); !bytes.Equal(untouched, before) {
			t.Fatalf("%s: group 0 became %x", fn.Batch, untouched)
		}
	})
}

// FuzzGroupOf: a key that is taken is written back as it was.
func FuzzGroupOf(f *testing.F) {
	f.Add(uint8(3), append(make([]byte, 8), 1, 'a'))
	f.Add(uint8(5), append(make([]byte, 8), 0, 1, 1))
	f.Add(uint8(2), []byte{0x81, 0x00, 'a'})
	f.Fuzz(func(t *testing.T, shape uint8, key []byte) {
		table := agg.NewTable(keyShapes[int(shape)%len(keyShapes)], nil)
		g, err := table.GroupOf(key)
		if err != nil {
			return
		}
		if got := table.AppendKey(nil, g); !bytes.Equal(got, key) {
			t.Fatalf("key %x came back as %x", key, got)
		}
		columns := table.KeyColumns()
		if got := keyOf(columns, 0); got != string(key) {
			t.Fatalf("key %x came back in columns as %x", key, got)
		}
	})
}
