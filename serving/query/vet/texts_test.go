package vet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/millrace/millrace/internal/clickhouse/enginetest"
	"github.com/millrace/millrace/serving/query/vet"
)

// TestNoAllowedFunctionRunsItsText calls every function that a query may call with texts
// that would read a file if anything evaluated them, on an engine that nothing confines:
// what is in the file must not come out.
func TestNoAllowedFunctionRunsItsText(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("XYZZY"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `'groupConcat(file(\'` + secret + `\'))'`
	c := enginetest.Client(t)
	// reads reports whether a call with the text gives what is in the file.
	reads := func(function string) bool {
		for _, shape := range []string{"(%s, ['a', 'b'])", "(%s)"} {
			// Most do not fit the function, and are refused.
			b, err := c.QueryBatch(t.Context(), "SELECT toString("+function+fmt.Sprintf(shape, text)+")")
			if err != nil && strings.Contains(err.Error(), "XYZZY") || err == nil && b.Rows > 0 && strings.Contains(string(b.Columns[0].Str.At(0)), "XYZZY") {
				return true
			}
		}
		return false
	}
	if !reads("arrayReduce") {
		t.Error("this test does not find what it looks for")
	}
	var calls errgroup.Group
	calls.SetLimit(4)
	for _, f := range vet.Functions() {
		calls.Go(func() error {
			if reads(f.Name) {
				return fmt.Errorf("%s runs its text", f.Name)
			}
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		t.Error(err)
	}
}
