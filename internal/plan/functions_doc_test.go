package plan

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/agg"
)

var update = flag.Bool("update-functions", false, "write docs/functions.md")

const functionsDoc = "../../docs/functions.md"

// TestFunctionsDoc keeps docs/functions.md equal to the registry:
//
//	go test ./internal/plan -run TestFunctionsDoc -update-functions
func TestFunctionsDoc(t *testing.T) {
	want := documentation()
	if *update {
		if err := os.WriteFile(functionsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(functionsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/functions.md is not what the registry says; run this test with -update-functions")
	}
}

// aggregateDocs says in one line what each aggregate function gives.
var aggregateDocs = map[string]string{
	"count":    "`count()`: number of rows, UInt64. `count(x)`: number of rows where x is not NULL.",
	"sum":      "`sum(x)`: Int64, UInt64 or Float64; integers wrap around at 64 bits.",
	"sumKahan": "`sumKahan(x)`: sum by Kahan's compensated summation, Float64: the error does not grow with the number of rows. Over infinities it is an infinity or NaN.",
	"avg":      "`avg(x)`: mean, Float64.",
	"avgWeighted": "`avgWeighted(x, weight)`: weighted mean, Float64. Since ClickHouse adds in the type of the weight, a Float64 x with a whole weight, " +
		"and an Int64 x with an unsigned one, are refused: write `toFloat64(weight)` or `toInt64(weight)`.",
	"min":    "`min(x)`: smallest value, of x's type.",
	"max":    "`max(x)`: largest value, of x's type.",
	"argMin": "`argMin(x, by)`: x of the row whose by is smallest; of several such rows the smallest x, or in a batch ClickHouse's first. Rows where x or by is NULL do not count; NaN only where there is nothing else.",
	"argMax": "`argMax(x, by)`: x of the row whose by is largest; as `argMin`.",

	"varPop":     "`varPop(x)`: population variance, Float64. Like the rest of its family, by ClickHouse's formula of sums of powers.",
	"varSamp":    "`varSamp(x)`: sample variance, Float64; NaN over less than two rows.",
	"stddevPop":  "`stddevPop(x)`: square root of `varPop(x)`.",
	"stddevSamp": "`stddevSamp(x)`: square root of `varSamp(x)`.",
	"skewPop":    "`skewPop(x)`: skewness: third central moment over `varPop(x)` to the power 3/2.",
	"skewSamp":   "`skewSamp(x)`: the same with `varSamp(x)`.",
	"kurtPop":    "`kurtPop(x)`: kurtosis: fourth central moment over the square of `varPop(x)`.",
	"kurtSamp":   "`kurtSamp(x)`: the same with `varSamp(x)`.",
	"covarPop":   "`covarPop(x, y)`: population covariance, Float64.",
	"covarSamp":  "`covarSamp(x, y)`: sample covariance, Float64.",
	"corr":       "`corr(x, y)`: Pearson's correlation, Float64.",

	"groupBitAnd": "`groupBitAnd(x)`: AND of the bits of whole numbers, of x's type; all ones over no rows.",
	"groupBitOr":  "`groupBitOr(x)`: OR of the bits.",
	"groupBitXor": "`groupBitXor(x)`: XOR of the bits.",

	"groupBitmap": "`groupBitmap(x)`: number of different whole numbers, exact, in a Roaring bitmap: small where they are dense.",

	"uniq":      "`uniq(x, …)`: number of different values, or rows of several values, UInt64: exact up to 65,536, then estimated as in ClickHouse.",
	"uniqExact": "`uniqExact(x, …)`: number of different values, or rows of several values, exact. Keeps them all: 8 to 32 bytes each.",

	"quantile":                "`quantile(level)(x)`: Float64; in both layers ClickHouse's `quantileTDigest`.",
	"quantileTDigest":         "`quantileTDigest(level)(x)`: Float64, within 1 % of the rows.",
	"quantileTDigestWeighted": "`quantileTDigestWeighted(level)(x, weight)`: the same, each row counting as often as its weight, UInt64 or Bool, says.",
	"quantileExact":           "`quantileExact(level)(x)`: the exact quantile, of x's type; at level 0.5 the upper one of two middle values. Keeps all values, 8 bytes each.",
	"quantileExactLow":        "`quantileExactLow(level)(x)`: the same; at level 0.5 the lower one of two middle values.",
	"quantileExactHigh":       "`quantileExactHigh(level)(x)`: in effect `quantileExact`.",
}

// combinatorsDoc stands before the aggregates.
const combinatorsDoc = `Rows where an argument is NULL are left out. A name may have these suffixes, in this order:

| suffix | meaning |
|---|---|
| ` + "`Distinct`" + ` | of equal values the function sees one; for functions of one number. ` + "`sumDistinct(x)`" + ` |
| ` + "`OrNull`" + ` | NULL where no row was taken. ` + "`sumOrNull(x)`" + ` |
| ` + "`OrDefault`" + ` | the type's zero where no row was taken, also of those that else give NaN. ` + "`avgOrDefault(x)`" + ` |
| ` + "`If`" + ` | takes a condition as last argument: ` + "`countIf(ok)`, `sumDistinctOrNullIf(x, ok)`" + ` |

` + "`any`, `anyLast`, `first_value`, `last_value`" + ` are refused: their values depend on the order of rows, which the two
layers do not share. Write ` + "`argMin(x, time)`, `argMax(x, time)`, `min(x)`" + `.

`

func documentation() string {
	var b strings.Builder
	b.WriteString(`# Functions

<!-- Written by: go test ./internal/plan -run TestFunctionsDoc -update-functions -->

These functions stand in views, in both layers: vectorised Go in the speed layer, ClickHouse in the
batch layer. Each means what it means in ClickHouse; tests compare both with the real engine on random
rows. Where ClickHouse would fail at some row, and so stop a partition, or leaves the result open, the
function is refused or defined, as its text says.

* A function of NULL is NULL unless its text says otherwise.
* Inside of an expression numbers have ClickHouse's types: ` + "`1`" + ` is a UInt8, ` + "`1 + 1`" + ` a UInt16, ` + "`intDiv(200, x)`" + `
  an Int8. The value of an expression leaves it as Bool, Int64, UInt64, Float64, String, Date or
  DateTime64: a comparison as Bool, any smaller integer as Int64 or UInt64, a DateTime as DateTime64(0).
* Times are UTC.
* Names are case-sensitive as in ClickHouse; those marked *any case* are not.
* Functions whose value is another each time (` + "`now`, `today`, `rand`" + ` …) are refused: batch and speed
  would differ. Use the event time.

`)
	group := ""
	for _, f := range Functions() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "## %s\n\n| function | meaning | example |\n|---|---|---|\n", group)
		}
		b.WriteString(f.row())
		if next := nextGroup(f.Name); next != group {
			b.WriteString("\n")
		}
	}
	b.WriteString("## Aggregates\n\n" + combinatorsDoc + "| function | meaning |\n|---|---|\n")
	for _, name := range agg.Known() {
		if of, ok := agg.AliasOf(name); ok {
			fmt.Fprintf(&b, "| `%s` | is `%s` |\n", name, of)
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, aggregateDocs[name])
	}
	return b.String()
}

// nextGroup returns the group of the entry after the named one.
func nextGroup(name string) string {
	all := Functions()
	for i := range all[:len(all)-1] {
		if all[i].Name == name {
			return all[i+1].Group
		}
	}
	return ""
}

func (f Function) row() string {
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	name := "`" + f.Name + "`"
	for _, a := range f.Aliases {
		name += ", `" + a + "`"
	}
	if f.AnyCase {
		name += " *any case*"
	}
	return fmt.Sprintf("| %s: `%s` | %s | `%s` → `%s` |\n", name, cell(f.Usage), cell(f.Doc), cell(f.Example), cell(f.Result))
}

// TestAggregatesAreDocumented fails where agg gains a function.
func TestAggregatesAreDocumented(t *testing.T) {
	for _, name := range agg.Known() {
		if _, alias := agg.AliasOf(name); !alias && aggregateDocs[name] == "" {
			t.Errorf("%s is not documented", name)
		}
	}
}

// TestEntriesAreComplete checks what an entry must have.
func TestEntriesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Functions() {
		if f.Group == "" || f.Usage == "" || f.Doc == "" || f.Example == "" || f.Result == "" || f.bind == nil {
			t.Errorf("%s: a field is empty", f.Name)
		}
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if seen[name] {
				t.Errorf("%s: the name is taken", name)
			}
			seen[name] = true
		}
	}
}
