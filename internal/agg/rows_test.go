package agg_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/millrace/millrace/internal/agg"
	"github.com/millrace/millrace/internal/event"
)

// rowSet is rows of a test: groups and the vectors of a function's arguments.
type rowSet struct {
	groups []uint32
	args   []event.Vector
}

// spread says which numbers random rows have.
type spread int

const (
	tame     spread = iota // small multiples of 1/4, whose fourth powers add exactly
	quarters               // floats are multiples of 1/4 below 2^30, which add exactly
	wild                   // every float
)

// edges are the values at which functions differ, by kind.
var (
	edgeInts    = []int64{0, 1, -1, 7, math.MinInt64, math.MaxInt64, math.MinInt32, 1 << 53}
	edgeUints   = []uint64{0, 1, 7, math.MaxUint64, 1 << 63, 1 << 53}
	edgeFloats  = []float64{0, math.Copysign(0, -1), 1, -1, 0.25, -1234567.75, 1 << 30, math.Inf(1), math.Inf(-1), nan}
	wildFloats  = []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e300, 0.1, -0.1, 1e-9}
	edgeStrings = []string{"", " ", "a", "b", "A", "\x00", "a\x00", "\xff\xfe", "ä", "日本語", "🙂",
		strings.Repeat("x", 16), strings.Repeat("y", 127), strings.Repeat("z", 1000)}
	edgeDates = []int64{0, 1, 18262, 65535}
	edgeTimes = []int64{0, -1, 1, -315619200000, 1700000000123, -62135596800}

	nan = math.Float64frombits(0x7FF8000000000000)
)

// randomRows makes n rows of the given types in the given number of groups.
func randomRows(r *rand.Rand, types []event.Type, n, groups int, spread spread) rowSet {
	s := rowSet{args: make([]event.Vector, len(types))}
	for range n {
		s.groups = append(s.groups, uint32(r.IntN(groups)))
	}
	for i, typ := range types {
		v := &s.args[i]
		v.Type = typ
		for range n {
			if typ.Nullable && r.IntN(4) == 0 {
				v.AppendZero(true)
				continue
			}
			appendRandom(r, v, spread)
		}
	}
	return s
}

func appendRandom(r *rand.Rand, v *event.Vector, spread spread) {
	if spread == tame && v.Type.Numeric() {
		appendTame(r, v)
		return
	}
	edge := r.IntN(2) == 0
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(edge)
	case event.Int64:
		if edge {
			v.AppendInt64(edgeInts[r.IntN(len(edgeInts))])
		} else {
			v.AppendInt64(r.Int64N(2000) - 1000)
		}
	case event.UInt64:
		if edge {
			v.AppendUInt64(edgeUints[r.IntN(len(edgeUints))])
		} else {
			v.AppendUInt64(r.Uint64())
		}
	case event.Float64:
		switch {
		case spread == wild && edge && r.IntN(2) == 0:
			v.AppendFloat64(wildFloats[r.IntN(len(wildFloats))])
		case edge && r.IntN(3) == 0:
			v.AppendFloat64(edgeFloats[r.IntN(len(edgeFloats))])
		default:
			v.AppendFloat64(float64(r.Int64N(1<<32)-1<<31) / 4)
		}
	case event.String:
		if edge {
			v.AppendString([]byte(edgeStrings[r.IntN(len(edgeStrings))]))
		} else {
			v.AppendString(strconv.AppendInt([]byte("k"), r.Int64N(30), 10))
		}
	case event.Date:
		if edge {
			v.AppendInt64(edgeDates[r.IntN(len(edgeDates))])
		} else {
			v.AppendInt64(r.Int64N(1 << 16))
		}
	case event.DateTime64:
		if edge {
			v.AppendInt64(edgeTimes[r.IntN(len(edgeTimes))])
		} else {
			v.AppendInt64(r.Int64N(4e12) - 2e12)
		}
	}
}

// appendTame adds a number whose powers and products add exactly in any order.
func appendTame(r *rand.Rand, v *event.Vector) {
	n := r.Int64N(201) - 100
	switch v.Type.Kind {
	case event.Bool:
		v.AppendBool(n > 0)
	case event.Int64:
		v.AppendInt64(n)
	case event.UInt64:
		v.AppendUInt64(uint64(n + 100))
	default:
		if n == 100 && r.IntN(2) == 0 {
			v.AppendFloat64([]float64{math.Inf(1), math.Inf(-1), nan}[r.IntN(3)])
		} else {
			v.AppendFloat64(float64(n) / 4)
		}
	}
}

// removeTies gives rows of equal second values the same first value, and makes 0 of -0.
func (s *rowSet) removeTies() {
	arg, by := &s.args[0], &s.args[1]
	first := map[any]uint32{}
	rows := make([]uint32, len(s.groups))
	for i := range rows {
		if by.Type.Kind == event.Float64 && by.F64[i] == 0 {
			by.F64[i] = 0
		}
		key := by.Value(i)
		if f, ok := key.(float64); ok && f != f {
			key = "NaN"
		}
		if _, seen := first[key]; !seen {
			first[key] = uint32(i)
		}
		rows[i] = first[key]
	}
	same := event.Vector{Type: arg.Type}
	same.AppendRows(arg, rows)
	*arg = same
}

// source is the rows as a ClickHouse table expression with the columns g, a0, a1….
func (s *rowSet) source() string {
	structure := "g UInt32"
	for i := range s.args {
		structure += fmt.Sprintf(", a%d %s", i, s.args[i].Type)
	}
	var b []byte
	for row, g := range s.groups {
		b = binary.LittleEndian.AppendUint32(b, g)
		for i := range s.args {
			b = appendRowBinary(b, &s.args[i], row)
		}
	}
	return fmt.Sprintf("format(RowBinary, '%s', unhex('%x'))", strings.ReplaceAll(structure, "'", `\'`), b)
}

func appendRowBinary(b []byte, v *event.Vector, row int) []byte {
	if v.Type.Nullable {
		if v.Null(row) {
			return append(b, 1)
		}
		b = append(b, 0)
	}
	switch v.Type.Kind {
	case event.Bool:
		return append(b, v.U8[row])
	case event.Date:
		return binary.LittleEndian.AppendUint16(b, uint16(v.I64[row]))
	case event.UInt64:
		return binary.LittleEndian.AppendUint64(b, v.U64[row])
	case event.Float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.F64[row]))
	case event.String:
		b = binary.AppendUvarint(b, uint64(len(v.Str.At(row))))
		return append(b, v.Str.At(row)...)
	default:
		return binary.LittleEndian.AppendUint64(b, uint64(v.I64[row]))
	}
}

// slice returns rows from..to.
func (s *rowSet) slice(from, to int) rowSet {
	out := rowSet{groups: s.groups[from:to], args: make([]event.Vector, len(s.args))}
	for i := range s.args {
		out.args[i].Type = s.args[i].Type
		out.args[i].AppendRange(&s.args[i], from, to)
	}
	return out
}

func (s *rowSet) vectors() []*event.Vector {
	var out []*event.Vector
	for i := range s.args {
		out = append(out, &s.args[i])
	}
	return out
}

// shown is a SELECT expression that gives the value x as text gives it.
func shown(x string, t event.Type) string {
	value := "assumeNotNull(" + x + ")"
	switch t.Kind {
	case event.Float64:
		value = "toFloat64(" + value + ")"
	case event.String:
		value = "hex(" + value + ")"
	case event.Date:
		value = "toUInt16(" + value + ")"
	case event.DateTime64:
		value = "reinterpretAsInt64(" + value + ")"
	case event.Bool:
		value = "toUInt8(" + value + ")"
	}
	return "if(isNull(" + x + "), 'NULL', toString(" + value + "))"
}

// text is row i as the engine shows it.
func text(v *event.Vector, i int) string {
	switch x := v.Value(i).(type) {
	case nil:
		return "NULL"
	case bool:
		if x {
			return "1"
		}
		return "0"
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case string:
		return strings.ToUpper(hex.EncodeToString([]byte(x)))
	default:
		return fmt.Sprint(x)
	}
}

// powError is the relative error of functions that raise to a power, which libraries round
// differently in the last digit.
const powError = 1e-14

// sameText compares a value of ours with the engine's.
func sameText(ours, engines string, f *agg.Function) bool {
	if f.Result.Kind != event.Float64 || ours == "NULL" || engines == "NULL" {
		return ours == engines
	}
	a, err1 := strconv.ParseFloat(ours, 64)
	b, err2 := strconv.ParseFloat(engines, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	if stem(f.Name) == "sumKahan" && notFinite(a) && notFinite(b) {
		return true // an infinity is NaN as soon as a row follows it, so that the order decides
	}
	if s := stem(f.Name); strings.HasPrefix(s, "skew") || strings.HasPrefix(s, "kurt") {
		return math.Abs(a-b) <= powError*math.Abs(b) || a == b || a != a && b != b
	}
	return a == b || a != a && b != b
}

func notFinite(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }
