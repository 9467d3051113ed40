package vet_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/serving/query/vet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(enginetest.Wrap(m)) }

var update = flag.Bool("update", false, "write functions.txt anew; look at what it allows before you commit it")

// engineFunctions lists every function of the engine, with the name that it is an alias of.
const engineFunctions = `SELECT * FROM (
SELECT if(is_aggregate, 'aggregate', 'scalar') AS kind, name, alias_to, case_insensitive FROM system.functions
UNION ALL SELECT 'table', name, '', 0 FROM system.table_functions
) ORDER BY kind, name`

// TestFunctionsAreClassified fails where the engine has a function that nobody has looked
// at yet, as a new version of it may.
func TestFunctionsAreClassified(t *testing.T) {
	b, err := enginetest.Client(t).QueryBatch(t.Context(), engineFunctions)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range b.Rows {
		kind, name, alias := string(b.Columns[0].Str.At(i)), string(b.Columns[1].Str.At(i)), string(b.Columns[2].Str.At(i))
		letters := "exact"
		if b.Columns[3].U64[i] != 0 {
			letters = "any"
		}
		want = append(want, fmt.Sprintf("%s %s %s %s", kind, name, letters, vet.Judge(kind, name, alias)))
	}
	if *update {
		if err := os.WriteFile("functions.txt", []byte(strings.Join(want, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range want {
		if !slices.Contains(have, line) {
			t.Errorf("functions.txt lacks %q: decide in denied.go whether it may be called, then run this test with -update", line)
		}
	}
	for _, line := range have {
		if !slices.Contains(want, line) {
			t.Errorf("functions.txt has %q, which the engine does not", line)
		}
	}
}

// TestDeniedFunctionsExist fails where denied.go names what the engine does not know, as
// after a change of a name.
func TestDeniedFunctionsExist(t *testing.T) {
	b, err := enginetest.Client(t).QueryBatch(t.Context(), engineFunctions)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for i := range b.Rows {
		known[string(b.Columns[1].Str.At(i))] = true
	}
	for _, name := range vet.Denied() {
		if !known[name] {
			t.Errorf("the engine has no function %s", name)
		}
	}
}
