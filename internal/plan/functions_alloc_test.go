package plan

import (
	"math/rand/v2"
	"testing"
)

// allocating are the functions for which Go's regular expressions allocate for each match.
var allocating = map[string]bool{"countMatches": true, "extract": true, "regexpExtract": true, "replaceRegexpOne": true, "replaceRegexpAll": true}

// TestNoAllocationPerRow: a function that has been computed over a batch once allocates
// nothing for the rows of the next one.
func TestNoAllocationPerRow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows, expressions = 2000, 3
	const few = rows / 20 // strconv allocates an error where a number is beyond Float64
	batch := randomBatch(r, testSchema, rows)
	g := generator{r: r}
	for _, f := range Functions() {
		for written := 0; written < expressions && !allocating[f.Name]; {
			tr, err := newTrial(g.call(f.Name, 1))
			if err != nil {
				continue
			}
			written++
			eval := Compile(tr.bound)
			allocated := testing.AllocsPerRun(2, func() {
				if _, err := eval.Eval(batch.Columns, rows); err != nil {
					t.Fatal(err)
				}
			})
			if allocated > few {
				t.Errorf("%s allocates %v times for %d rows", tr.text, allocated, rows)
			}
		}
	}
}
