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
	"avg":      "`avg(x)`: mean, Float64.",
	"min":      "`min(x)`: smallest value, of x's type.",
	"max":      "`max(x)`: largest value, of x's type.",
	"uniq":     "`uniq(x)`: number of different values, UInt64: exact up to 65,536, then estimated as in ClickHouse.",
	"quantile": "`quantile(level)(x)`: Float64; in both layers ClickHouse's `quantileTDigest`.",
}

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
	b.WriteString("## Aggregates\n\nEach has a form with `If`, which takes a condition as last argument: `countIf(ok)`, `sumIf(x, ok)`.\nNULL is left out.\n\n| function | meaning |\n|---|---|\n")
	for _, name := range agg.Known() {
		if doc, ok := aggregateDocs[name]; ok {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, doc)
		}
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
		if _, ok := aggregateDocs[strings.TrimSuffix(name, "If")]; !ok {
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
